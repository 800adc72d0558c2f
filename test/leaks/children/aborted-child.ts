/** Opens and aborts many connections in one phase; prints what is left of them. */
import { go, reach } from '../../lifecycle/children/reach';
import type { PhaseName, PhasePorts } from '../../lifecycle/phases';
import { measure } from './measure';

const [phase = '', json = '', transport = '', count, warmUp] = process.argv.slice(2);
const ports: PhasePorts = JSON.parse(json);
// What is queued in the kernel is memory, too.
const AT_ONCE = phase === 'writing' ? 10 : 50;
/** Whom the server does not read, or does not answer the end, it does not see go; and its descriptors are few. */
const HELD = ['writing', 'closing'];
const BEFORE_GO = 250;
let early = 0;
const seen = new Set<string | null>();

async function abort(): Promise<void> {
  const options = transport === 'stream' ? { transport } : {};
  const { socket } = await reach(phase as PhaseName, ports, options as object);
  seen.add(socket.transport);
  if (socket.destroyed) early += 1;
  if (socket.closed) return;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await closed;
}

async function round(total: number): Promise<void> {
  for (let done = 0; done < total; done += BEFORE_GO) {
    let left = Math.min(BEFORE_GO, total - done);
    const lane = async () => {
      for (left -= 1; left >= 0; left -= 1) await abort();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    if (HELD.includes(phase)) await go(ports);
  }
}

void measure(
  () => round(Number(warmUp)),
  () => round(Number(count)),
  ({ connections, socketTransports, credentials }) =>
    connections + socketTransports === 0 && credentials <= 1,
  () => ({ transports: [...seen], early }),
);
