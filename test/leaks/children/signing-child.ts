/** Forgets many connections while their signatures are waited for; prints what is left. */
import net from 'node:net';
import { Connection, createSecureContext, type Signer } from '../../../lib/index';
import { credential, to } from '../../lifecycle/children/client';
import { measure } from './measure';

const [portText, countText] = process.argv.slice(2);
const port = Number(portText);
const AT_ONCE = 50;
const WARM_UP = 1_000;
const { ca } = to(1);
const secureContext = createSecureContext({ ca });

/** Fed by hand as far as the signer, and then let go without a word. */
async function forgotten(): Promise<void> {
  let asked = false;
  const signer: Signer = {
    sign: () => {
      asked = true;
      return new Promise(() => {});
    },
  };
  const connection = new Connection({
    host: 'localhost',
    secureContext,
    // Its clock would remember the connection.
    clientCertTimeout: 0,
    clientCertCallback: () => ({ cert: credential.cert, key: signer }),
  });
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  const flush = () => {
    connection.handshake();
    const ciphertext = connection.drain();
    if (ciphertext !== undefined) socket.write(ciphertext);
  };
  flush();
  for await (const chunk of socket) {
    connection.receive(chunk);
    flush();
    if (asked) break;
  }
  socket.destroy();
}

async function round(total: number): Promise<void> {
  for (let done = 0; done < total; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, forgotten));
    // Nothing tells the collector how much a fibre is.
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

void measure(
  () => round(WARM_UP),
  () => round(Number(countText)),
  ({ connections, credentials }) => connections === 0 && credentials === 0,
);
