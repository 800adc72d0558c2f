/** Starts real Exim mail servers that ask for a client certificate after STARTTLS. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverFiles } from './server-files';
import { freePort, needRoot, type ServerProcess, startServerProcess } from './server-process';

export interface Exim {
  /** Its port is for STARTTLS. */
  readonly server: ServerProcess;
  readonly smtpsPort: number;
}

/**
 * Takes mail from those only whose certificate it verified, and says in its answer who that is. What it takes
 * it throws away.
 */
export async function startExim(): Promise<Exim> {
  let smtpsPort = 0;
  const server = await startServerProcess({
    name: 'exim',
    program: 'exim4',
    debianPackage: 'exim4-daemon-light',
    ready: /listening for SMTP/,
    user: 'Debian-exim',
    prepare: async (folder, port) => {
      needRoot('Exim');
      const files = await serverFiles(folder, 'Debian-exim');
      smtpsPort = await freePort();
      await writeFile(
        join(folder, 'exim.conf'),
        `
exim_user = Debian-exim
primary_hostname = mail.example
spool_directory = ${join(folder, 'spool')}
log_file_path = ${join(folder, 'log-%s')}
pid_file_path = ${join(folder, 'pid')}
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port} : ${smtpsPort}
tls_on_connect_ports = ${smtpsPort}
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
tls_advertise_hosts = *
tls_certificate = ${files.cert}
tls_privatekey = ${files.key}
tls_verify_certificates = ${files.clientCas}
tls_try_verify_hosts = *
acl_smtp_rcpt = rcpt
acl_smtp_data = data
qualify_domain = mail.example

begin acl
rcpt:
  deny  ! verify = certificate
        message = a certificate is needed here
  accept
data:
  discard message = you are $tls_in_peerdn

begin routers
none:
  driver = accept
  transport = none

begin transports
none:
  driver = appendfile
  file = /dev/null
`,
      );
      return ['-C', join(folder, 'exim.conf'), '-bdf', '-v'];
    },
  });
  return { server, smtpsPort };
}
