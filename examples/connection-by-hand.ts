/**
 * A TLS connection that brings its own I/O: here a `net.Socket`, but anything may carry the bytes.
 * It says who it is when asked, sends a line, and prints what comes back. In a clone:
 *     openssl s_server -rev -verify 1 -accept 4433 -cert cert.pem -key key.pem
 *     node -r ./tools/register-typescript.cjs examples/connection-by-hand.ts \
 *       localhost 4433 ca.pem cert.pem key.pem
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Connection, type ConnectionResult, Credential, SUSPEND } from '../lib/index'; // 'tls-client-cert'

const [host = '', port = '', ca = '', cert = '', key = ''] = process.argv.slice(2);
const credential = new Credential({ cert: readFileSync(cert), key: readFileSync(key) });
let wake = () => {};
const options = { host, ca: readFileSync(ca), clientCertCallback: () => SUSPEND };
const connection = new Connection(options, { resumed: () => wake() });

const socket = connect({ host, port: Number(port) });
socket.on('data', (ciphertext) => {
  connection.receive(ciphertext);
  wake();
});
socket.on('end', () => {
  connection.receiveEnd(); // an open question is over with it
  wake();
});

/** Calls `operation` until it is done; in between it waits for the server, or for an answer. */
async function drive(operation: () => ConnectionResult): Promise<number> {
  let asked: unknown = null;
  for (;;) {
    const result = operation();
    const ciphertext = connection.drain();
    if (ciphertext !== undefined) socket.write(ciphertext);
    if (result.status === 'done') return result.bytes;
    if (result.status === 'closed') return 0;
    if (result.status === 'failed') throw result.error;
    const suspension = result.status === 'suspended' ? result.suspension : null;
    if (suspension !== null && suspension !== asked) {
      asked = suspension;
      console.log('asked, in phase', suspension.request.phase);
      setTimeout(() => suspension.signal.aborted || suspension.resume(credential), 100);
    }
    await new Promise<void>((resolve) => (wake = resolve));
  }
}

async function main(): Promise<void> {
  await drive(() => connection.handshake());
  console.log(connection.getProtocol(), connection.clientAuth.status);
  await drive(() => connection.write(Buffer.from('hello\n')));
  const target = Buffer.alloc(1024);
  console.log(target.toString('utf8', 0, await drive(() => connection.read(target))).trim());
  await drive(() => connection.shutdown());
  connection.destroy();
  socket.end();
}

main();
