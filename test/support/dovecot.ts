/** Starts real Dovecot servers for IMAP, whose users log in by certificate after STARTTLS. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverFiles } from './server-files';
import { needRoot, type ServerProcess, startServerProcess } from './server-process';

/** Who logs in by SASL EXTERNAL is whom the certificate's common name says, and nobody gets in without one. */
export function startDovecot(): Promise<ServerProcess> {
  return startServerProcess({
    name: 'dovecot',
    program: 'dovecot',
    debianPackage: 'dovecot-imapd',
    ready: /Dovecot v\S+ \(\w+\) starting up/,
    prepare: async (folder, port) => {
      needRoot('Dovecot');
      const files = await serverFiles(folder);
      await writeFile(join(folder, 'dovecot.conf'), configuration(folder, port, files));
      return ['-F', '-c', join(folder, 'dovecot.conf')];
    },
  });
}

function configuration(
  folder: string,
  port: number,
  files: Awaited<ReturnType<typeof serverFiles>>,
): string {
  return `
base_dir = ${join(folder, 'run')}
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
ssl = required
ssl_cert = <${files.cert}
ssl_key = <${files.key}
ssl_ca = <${files.clientCas}
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_mechanisms = external
auth_ssl_require_client_cert = yes
auth_ssl_username_from_cert = yes
auth_username_chars =
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=mail gid=mail home=${join(folder, 'mail')}
}
`;
}
