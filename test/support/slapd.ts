/** Starts real OpenLDAP servers that demand a client certificate, by ldaps: and by StartTLS. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverFiles } from './server-files';
import { freePort, type ServerProcess, startServerProcess } from './server-process';

export interface Slapd {
  /** Its port is for ldap: and StartTLS. */
  readonly server: ServerProcess;
  readonly ldapsPort: number;
}

/** Whoever binds by SASL EXTERNAL is who the certificate names. */
export async function startSlapd(): Promise<Slapd> {
  let ldapsPort = 0;
  const server = await startServerProcess({
    name: 'slapd',
    program: 'slapd',
    debianPackage: 'slapd',
    ready: /slapd starting/,
    prepare: async (folder, port) => {
      ldapsPort = await freePort();
      const files = await serverFiles(folder);
      await writeFile(
        join(folder, 'slapd.conf'),
        // What it cannot read of a certificate's name makes it nobody.
        `attributetype ( 2.5.4.10 NAME 'o' SUP name )
pidfile ${join(folder, 'pid')}
argsfile ${join(folder, 'args')}
TLSCertificateFile ${files.cert}
TLSCertificateKeyFile ${files.key}
TLSCACertificateFile ${files.clientCas}
TLSVerifyClient demand
database monitor
`,
      );
      const urls = `ldap://127.0.0.1:${port} ldaps://127.0.0.1:${ldapsPort}`;
      return ['-f', join(folder, 'slapd.conf'), '-h', urls, '-d', 'stats'];
    },
  });
  return { server, ldapsPort };
}
