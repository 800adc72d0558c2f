/** Many connections whose server asks later and then goes wrong; prints what is left of them. */
import { once } from 'node:events';
import { Credential, connect, createSecureContext, SUSPEND } from '../../../lib/index';
import { credential as parts, to } from '../../lifecycle/children/client';
import { measure } from './measure';

const [python, forging, count, warmUp] = process.argv.slice(2).map(Number);
const AT_ONCE = 20;
const credential = new Credential(parts);
const BODY = Buffer.alloc(64 * 1024, 'upload');
const { ca } = to(0);
const CONTEXTS = {
  'TLSv1.2': createSecureContext({ ca, maxVersion: 'TLSv1.2' }),
  'TLSv1.3': createSecureContext({ ca }),
};

interface Fault {
  readonly protocol: keyof typeof CONTEXTS;
  /** What the server does once it has asked. */
  readonly server: string;
  /** How far the answer has come then. */
  readonly client: 'suspends' | 'never answers' | 'answers';
}

const SILENT = ['suspends', 'never answers'] as const;
const silent = (protocol: Fault['protocol'], ...faults: string[]) =>
  faults.flatMap((server) => SILENT.map((client) => ({ protocol, server, client })));

/** `forged`: by the server of our own, as all of TLS 1.2; Python's cannot. */
const FAULTS: readonly Fault[] = [
  ...silent('TLSv1.3', 'close', 'fin', 'reset', 'forged alert', 'forged again-fin'),
  ...silent('TLSv1.2', 'close', 'fin', 'reset', 'alert', 'again-fin'),
  { protocol: 'TLSv1.3', server: 'reset', client: 'answers' },
  { protocol: 'TLSv1.3', server: 'close', client: 'answers' },
  { protocol: 'TLSv1.3', server: 'stall', client: 'never answers' },
  { protocol: 'TLSv1.3', server: 'stall', client: 'answers' },
  { protocol: 'TLSv1.3', server: 'forged again', client: 'answers' },
  { protocol: 'TLSv1.2', server: 'stall', client: 'never answers' },
  { protocol: 'TLSv1.2', server: 'again', client: 'answers' },
];

/** Every promise and signal has to be settled by the end. */
let unsettled = 0;

async function fault({ protocol, server, client }: Fault): Promise<string> {
  const isForged = protocol === 'TLSv1.2' || server.startsWith('forged');
  const command = server.replace('forged ', '');
  let settled = false;
  let asked = () => {};
  const question = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { ca: _, ...where } = to(Number(isForged ? forging : python));
  const socket = connect({
    ...where,
    secureContext: CONTEXTS[protocol],
    clientCertTimeout: command === 'stall' ? 30 : 0,
    clientCertCallback: (_request, { signal }) => {
      asked();
      if (client === 'answers') {
        settled = true;
        // By then the server has asked again.
        return command === 'again' ? once(socket, 'answer').then(() => credential) : credential;
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
  socket.write(isForged ? `${command}\n` : `ask-then-${command}\n`);
  socket.resume();
  await Promise.race([question, closed]);
  const enough = () => {
    socket.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' }));
  };
  // In the middle of an upload, which goes on once the server is answered.
  const isLong = protocol === 'TLSv1.2' && command === 'again';
  if (socket.writable) socket.write(BODY, () => isLong && enough());
  if (command === 'again') setTimeout(() => socket.emit('answer'), 5);
  if (command === 'stall' && client === 'answers') setImmediate(enough);
  await new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
  if (!settled) unsettled++;
  return `${protocol} ${server}, ${client}: ${code}`;
}

async function round(total: number): Promise<Set<string>> {
  const seen = new Set<string>();
  let next = 0;
  const lane = async () => {
    while (next < total) seen.add(await fault(FAULTS[next++ % FAULTS.length] as Fault));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return seen;
}

let endings: Set<string>;
void measure(
  () => round(warmUp as number),
  async () => {
    endings = await round(count as number);
  },
  ({ connections }) => connections === 0,
  () => ({ unsettled, endings: [...endings].sort() }),
);
