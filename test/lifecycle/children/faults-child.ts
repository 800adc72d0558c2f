/** Many connections whose server asks later and then goes wrong; prints what is left of them. */
import { once } from 'node:events';
import { binding } from '../../../lib/binding';
import { Credential, connect, createSecureContext, SUSPEND } from '../../../lib/index';
import { credential as parts, to } from './client';

const [port, count, warmUp] = process.argv.slice(2).map(Number);
const AT_ONCE = 20;
const { ca, ...rest } = to(Number(port));
const secureContext = createSecureContext({ ca });
const credential = new Credential(parts);
const BODY = Buffer.alloc(64 * 1024, 'upload');

type Ending = 'close' | 'fin' | 'reset' | 'stall';

/** What the server does once it has asked, and how far the answer has come then. */
const FAULTS: readonly { server: Ending; client: 'suspends' | 'never answers' | 'answers' }[] = [
  { server: 'close', client: 'suspends' },
  { server: 'close', client: 'never answers' },
  { server: 'fin', client: 'suspends' },
  { server: 'fin', client: 'never answers' },
  { server: 'reset', client: 'suspends' },
  { server: 'reset', client: 'never answers' },
  { server: 'reset', client: 'answers' },
  { server: 'close', client: 'answers' },
  { server: 'stall', client: 'never answers' },
  { server: 'stall', client: 'answers' },
];

/** Every promise and signal has to be settled by the end. */
let unsettled = 0;

async function fault({ server, client }: (typeof FAULTS)[number]): Promise<string> {
  let settled = false;
  let asked = () => {};
  const question = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const socket = connect({
    ...rest,
    secureContext,
    clientCertTimeout: server === 'stall' ? 30 : 0,
    clientCertCallback: (_request, { signal }) => {
      asked();
      if (client === 'answers') {
        settled = true;
        return credential;
      }
      signal.addEventListener('abort', () => {
        settled = true;
      });
      return client === 'suspends' ? SUSPEND : once(signal, 'abort').then(() => null);
    },
  });
  socket.on('suspend', () => {});
  let code = 'no error';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message;
  });
  const closed = once(socket, 'close').catch(() => {});
  socket.write(`ask-then-${server}\n`);
  socket.resume();
  await Promise.race([question, closed]);
  // In the middle of an upload.
  if (socket.writable) socket.write(BODY);
  if (server === 'stall' && client === 'answers') {
    setImmediate(() => socket.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' })));
  }
  await new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
  if (!settled) unsettled++;
  return `${server}, ${client}: ${code}`;
}

async function round(total: number): Promise<Set<string>> {
  const seen = new Set<string>();
  let next = 0;
  const lane = async () => {
    while (next < total)
      seen.add(await fault(FAULTS[next++ % FAULTS.length] as (typeof FAULTS)[number]));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return seen;
}

/** Until nothing more is found, or it takes too long. */
async function collect(): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (tries > 5 && binding.live().connections === 0) break;
  }
}

async function main(): Promise<void> {
  await round(warmUp as number);
  await collect();
  const before = process.memoryUsage();
  const endings = await round(count as number);
  await collect();
  const after = process.memoryUsage();
  const kib = (name: 'heapUsed' | 'external' | 'rss') =>
    Math.round((after[name] - before[name]) / 1024);
  console.log(
    JSON.stringify({
      connections: binding.live().connections,
      unsettled,
      heap: kib('heapUsed'),
      external: kib('external'),
      rss: kib('rss'),
      endings: [...endings].sort(),
    }),
  );
}

void main();
