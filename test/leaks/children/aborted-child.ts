/** Opens and aborts many connections in one phase; prints what is left of them. */
import { once } from 'node:events';
import { connect, createSecureContext, type TLSSocket } from '../../../lib/index';
import { credential, to } from '../../lifecycle/children/client';
import { measure } from './measure';

const [phase, port, count] = process.argv.slice(2);
const AT_ONCE = 50;
const WARM_UP = 1_000;
const { ca, ...rest } = to(Number(port));
const secureContext = createSecureContext({ ca });

/** One connection, destroyed where `phase` says. */
async function abort(): Promise<void> {
  const socket: TLSSocket = connect({
    ...rest,
    secureContext,
    clientCertCallback: async (_, { signal }) => {
      if (phase === 'suspended') {
        setImmediate(() => socket.destroy());
        await once(signal, 'abort');
      }
      if (phase === 'answered') process.nextTick(() => setImmediate(() => socket.destroy()));
      return credential;
    },
  });
  // An error of the socket's own, in the phases in which the peer is at fault.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  if (phase === 'connecting') socket.destroy();
  if (phase === 'handshaking') socket.once('connect', () => setImmediate(() => socket.destroy()));
  if (phase === 'open') {
    socket.write('hello');
    socket.once('data', () => socket.destroy());
  }
  await closed;
}

async function round(total: number): Promise<void> {
  for (let done = 0; done < total; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, abort));
  }
}

void measure(
  () => round(WARM_UP),
  () => round(Number(count)),
  ({ connections, socketTransports, credentials }) =>
    connections + socketTransports === 0 && credentials <= 1,
);
