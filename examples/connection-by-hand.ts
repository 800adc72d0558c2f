/**
 * A TLS connection that brings its own I/O: here a `net.Socket`, but ciphertext may travel by
 * anything that carries bytes. It says who it is when the server asks, sends a line, and prints
 * what comes back.
 *
 *     node connection-by-hand.js <host> <port> <ca.pem> <cert.pem> <key.pem>
 *
 * In a program of yours the import reads `from 'tls-client-cert'`.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionResult, Credential, SUSPEND } from '../lib/index';

const [host = '', port = '', ca = '', cert = '', key = ''] = process.argv.slice(2);
const credential = new Credential({ cert: readFileSync(cert), key: readFileSync(key) });
const options = { host, ca: readFileSync(ca), clientCertCallback: () => SUSPEND };
const connection = new Connection(options);

const socket = connect({ host, port: Number(port) });
const incoming = socket[Symbol.asyncIterator]();

/** Calls `operation` until it is done, moving ciphertext both ways meanwhile. */
async function drive(operation: () => ConnectionResult): Promise<number> {
  while (true) {
    const result = operation();
    const ciphertext = connection.drain();
    if (ciphertext !== undefined) socket.write(ciphertext);
    if (result.status === 'done') return result.bytes;
    if (result.status === 'closed') return 0;
    if (result.status === 'failed') throw result.error;
    if (result.status === 'suspended') {
      // The server asked. Nothing waits but this function: take as long as you like.
      console.log('asked, in phase', result.suspension?.request.phase);
      await sleep(100);
      result.suspension?.resume(credential);
    } else {
      const { value, done } = await incoming.next();
      if (done) connection.receiveEnd();
      else connection.receive(value);
    }
  }
}

async function main(): Promise<void> {
  await drive(() => connection.handshake());
  console.log(connection.getProtocol(), connection.clientAuth.status);
  await drive(() => connection.write(Buffer.from('hello\n')));
  const plaintext = Buffer.alloc(1024);
  const size = await drive(() => connection.read(plaintext));
  console.log(plaintext.toString('utf8', 0, size).trim());
  await drive(() => connection.shutdown());
  connection.destroy();
  socket.end();
}

main();
