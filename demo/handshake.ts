/**
 * A TLS handshake that waits while a client certificate is picked.
 *
 *     npm run demo
 *
 * The server is a real `openssl s_server`. In a program of yours the import reads
 * `from 'tls-client-cert'`.
 */
import { once } from 'node:events';
import { type CertificateRequest, connect, SUSPEND, type TLSSocket } from '../lib/index';
import { type SServer, startSServer } from '../test/support/s-server';
import { type Certificates, makeCertificates } from './certificates';
import { choose } from './choose';
import { fields, heading, quote, report } from './screen';

async function handshake(certificates: Certificates, server: SServer, signal: AbortSignal) {
  const socket = connect({
    host: '127.0.0.1',
    port: server.port,
    servername: 'localhost',
    ca: certificates.serverCa,
    signal,
    // It may also return a credential, null for none, or a promise of either.
    clientCertCallback: () => SUSPEND,
  });

  socket.once('suspend', async (suspension) => {
    try {
      showRequest(suspension.request);
      const { candidates } = certificates;
      const chosen = await choose(candidates, suspension.request, suspension.signal);
      suspension.resume(chosen.credential);
      console.log(`  resumed with ${chosen.name}'s certificate`);
    } catch (error) {
      // When the connection is what failed, there is nothing left to abort.
      if (!suspension.signal.aborted) suspension.abort(error);
    }
  });

  // Rejects when anything goes wrong with the connection, so everything else races with it.
  const firstWords = readOnce(socket);
  await Promise.race([once(socket, 'secureConnect'), firstWords]);
  showResult(socket);

  // A TLS 1.3 server may refuse a certificate after the handshake: only data shows that it did not.
  await Promise.race([server.sawClient(), firstWords]);
  server.type('Hello! I know who you are.');
  const greeting = await firstWords;
  heading('What openssl s_server printed about its client');
  quote(aboutTheClient(server.output));
  heading('What the server sent over the connection');
  quote([greeting]);
}

async function readOnce(socket: TLSSocket): Promise<string> {
  for await (const chunk of socket) return String(chunk).trim();
  throw new Error('the server closed the connection without a word');
}

function showRequest(request: CertificateRequest): void {
  const [first, second, ...others] = request.signatureSchemes;
  heading('The server asks for a client certificate');
  fields({
    protocol: request.protocol,
    server: `${request.servername}, ${request.authorized ? 'verified' : request.authorizationError}`,
    'accepted CAs': request.certificateAuthorities.map(String),
    signatures: `${first}, ${second} and ${others.length} others`,
  });
}

function showResult(socket: TLSSocket): void {
  const { clientAuth } = socket;
  if (clientAuth.status !== 'sent') throw new Error(`the certificate was ${clientAuth.status}`);
  const { credential, signatureScheme } = clientAuth;
  const { length } = credential.chain;
  heading('The handshake is complete');
  fields({
    sent: `${credential.subject}${length === 0 ? '' : `, and ${length} intermediate`}`,
    'signed with': `${signatureScheme}`,
    cipher: socket.getCipher().name,
  });
}

/** `s_server` says much more. */
function aboutTheClient(output: string): string[] {
  const lines = output.split('\n');
  return [/^(depth=|verify (error|return))/, /^(subject=|issuer=|Peer signature)/].flatMap(
    (words) => lines.filter((line) => words.test(line)),
  );
}

async function main(signal: AbortSignal): Promise<void> {
  const certificates = await makeCertificates();
  try {
    const server = await startSServer({
      identity: certificates.server,
      requestCert: 'required',
      clientCa: certificates.clientCas,
      messages: false,
    });
    try {
      signal.throwIfAborted();
      console.log(`openssl s_server listens on 127.0.0.1:${server.port}. Connecting …`);
      await handshake(certificates, server, signal);
    } finally {
      await server.stop();
    }
  } finally {
    await certificates.remove();
  }
}

const interrupted = new AbortController();
for (const [name, status] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
  process.on(name, () => {
    process.exitCode = status;
    interrupted.abort();
  });
}

main(interrupted.signal).catch((error: unknown) => {
  if (interrupted.signal.aborted) return;
  process.exitCode = 1;
  report(error);
});
