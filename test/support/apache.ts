/** Starts real Apache httpd servers that ask for a client certificate where a path demands it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadPki } from './pki';
import { type ServerProcess, startServerProcess } from './server-process';

export interface ApacheOptions {
  readonly protocol: 'TLSv1.2' | 'TLSv1.3';
  /** Demand a certificate in the first handshake already. Default `false`: it asks for none. */
  readonly requireEverywhere?: boolean;
}

/**
 * Apache with the event MPM and a CGI that answers every path with what mod_ssl saw of the
 * client, as {@link ApacheReport}. `/private` requires a certificate that leads to
 * `pki.clientCaA`, of which Apache knows the root alone; `/optional` asks for one.
 */
export function startApache(options: ApacheOptions): Promise<ServerProcess> {
  return startServerProcess({
    name: 'apache',
    program: 'apache2',
    debianPackage: 'apache2',
    ready: /AH00489: .*resuming normal operations/,
    prepare: async (folder, port) => {
      await writeFile(join(folder, 'report.sh'), REPORT, { mode: 0o755 });
      await writeFile(join(folder, 'httpd.conf'), configuration(options, folder, port));
      return ['-f', join(folder, 'httpd.conf'), '-D', 'FOREGROUND'];
    },
  });
}

/** The `key=value` lines of a response's body. */
export interface ApacheReport {
  readonly subject: string;
  /** `SUCCESS`, `NONE` or `FAILED:` and a reason. */
  readonly verify: string;
  /** How many certificates came with the leaf. */
  readonly chain: string;
  /** `Initial` or `Resumed`. */
  readonly resumed: string;
  readonly protocol: string;
  /** SHA-256 of the request's body. */
  readonly body: string;
}

const REPORT = `#!/bin/sh
echo 'Content-Type: text/plain'
echo
echo "subject=$SSL_CLIENT_S_DN"
echo "verify=$SSL_CLIENT_VERIFY"
echo "chain=$(env | grep -c '^SSL_CLIENT_CERT_CHAIN_[0-9]*=')"
echo "resumed=$SSL_SESSION_RESUMED"
echo "protocol=$SSL_PROTOCOL"
echo "body=$(sha256sum | cut -c1-64)"
`;

const MODULES = ['mpm_event', 'authz_core', 'alias', 'cgid', 'socache_shmcb', 'ssl'];

function configuration(options: ApacheOptions, folder: string, port: number): string {
  const pki = loadPki();
  return `
ServerRoot ${folder}
DefaultRuntimeDir ${folder}
PidFile ${folder}/httpd.pid
# Node gives its children sockets for their output, which cannot be opened as /dev/stderr.
ErrorLog "|/bin/cat"
LogLevel info
ServerName localhost
Listen 127.0.0.1:${port}
${MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
${
  // Root's workers need a user, and Apache refuses root itself. These are nobody and nogroup.
  process.getuid?.() === 0 ? 'User #65534\nGroup #65534' : ''
}
# Files, where the default may be semaphores that outlive a killed server.
Mutex file:${folder} default
ScriptSock ${folder}/cgid
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8
KeepAlive On
KeepAliveTimeout 20
ScriptAlias / ${folder}/report.sh/
<Directory ${folder}>
  Require all granted
</Directory>

SSLEngine on
SSLProtocol -all +${options.protocol}
SSLCertificateFile ${pki.server.certPath}
SSLCertificateKeyFile ${pki.server.keyPath}
SSLCACertificateFile ${pki.clientCaA.certPath}
SSLSessionCache shmcb:${folder}/sessions(65536)
SSLOptions +StdEnvVars +ExportCertData
SSLVerifyClient ${options.requireEverywhere === true ? 'require' : 'none'}
SSLVerifyDepth 3
<Location />
  # A body that is already on its way has to fit here while Apache asks.
  SSLRenegBufferSize 2097152
</Location>
<Location /private>
  SSLVerifyClient require
</Location>
<Location /optional>
  SSLVerifyClient optional
</Location>
`;
}
