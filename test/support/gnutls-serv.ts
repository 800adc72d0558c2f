/** Starts real `gnutls-serv --echo` processes, a TLS stack that is not OpenSSL. */
import { loadPki } from './pki';
import { type ServerProcess, startServerProcess } from './server-process';

export interface GnutlsServOptions {
  readonly protocol: 'TLSv1.2' | 'TLSv1.3';
  /** In the first handshake. Default `'optional'`. */
  readonly requestCert?: 'no' | 'optional' | 'required';
  /** Refuse a certificate that does not lead to `pki.clientCaA`'s root. Default `true`. */
  readonly verifyCert?: boolean;
  /** `false`: as a server from before RFC 5746, with renegotiation all the same. Default `true`. */
  readonly secureRenegotiation?: boolean;
}

/** The lines that a client sends to have the server ask once more. */
export const ASK_AGAIN = { 'TLSv1.2': '**REHANDSHAKE**\n', 'TLSv1.3': '**REAUTH**\n' } as const;

/** What it answers to such a line, before it asks. */
export const ASKING = 'Successfully executed command\n';

/**
 * An echo server, line by line. It has no option for an address, and listens on all of them.
 *
 * `requestCert: 'no'` holds on TLS 1.2 for a rehandshake too; on TLS 1.3 `**REAUTH**` asks anyway.
 */
export function startGnutlsServ(options: GnutlsServOptions): Promise<ServerProcess> {
  const pki = loadPki();
  return startServerProcess({
    name: 'gnutls-serv',
    program: 'gnutls-serv',
    debianPackage: 'gnutls-bin',
    ready: /IPv4 0\.0\.0\.0 port \d+\.\.\.done/,
    prepare: (_folder, port) => {
      const version = options.protocol.replace('TLSv', 'TLS');
      // Level 4 names each handshake message: it prints certificates of the first handshake only.
      const args = ['--echo', '--port', String(port), '--debug', '4'];
      const insecure = options.secureRenegotiation === false ? ':%DISABLE_SAFE_RENEGOTIATION' : '';
      args.push('--priority', `NORMAL:-VERS-ALL:+VERS-${version}${insecure}`);
      args.push('--x509certfile', pki.server.certPath, '--x509keyfile', pki.server.keyPath);
      args.push('--x509cafile', pki.clientCaA.certPath);
      if (options.requestCert === 'no') args.push('--disable-client-cert');
      if (options.requestCert === 'required') args.push('--require-client-cert');
      if (options.verifyCert ?? true) args.push('--verify-client-cert');
      // GnuTLS 3.7.9 cannot make a ticket in a rehandshake ("Cannot perform this action while
      // handshake is in progress"), and from its database it would resume and ask nothing.
      if (options.protocol === 'TLSv1.2') args.push('--noticket', '--nodb');
      return args;
    },
  });
}

/** The subjects of the certificates that the server got in the first handshake, leaf first. */
export async function printedSubjects(server: ServerProcess): Promise<string[]> {
  const list = await server.waitFor(
    /- Got a certificate list of \d+ certificates\.[\s\S]*?\n- Version: /,
  );
  const announced = Number(/list of (\d+)/.exec(list)?.[1]);
  const subjects = [...list.matchAll(/^\tSubject: (.*)$/gm)].map((match) => match[1] ?? '');
  if (subjects.length !== announced) throw new Error(`not ${announced} certificates: ${list}`);
  return subjects;
}

/** The lengths of the Certificate messages that the server has received so far. */
export function receivedCertificateMessages(server: ServerProcess): number[] {
  const lines = server.output.matchAll(/CERTIFICATE \(11\) was received\. Length (\d+)/g);
  return [...lines].map((match) => Number(match[1]));
}
