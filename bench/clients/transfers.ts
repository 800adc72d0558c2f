/** A lot of data in one direction, with or without requests for the certificate in between. */
import { once } from 'node:events';
import tls from 'node:tls';
import { type ClientCertCallback, connect, createSecureContext } from '../../lib/index';
import { Dialogue, type Seen } from '../../test/support/python-server';
import type { Direction, Setup, TransferKind, TransferSample, TransferTask } from '../messages';
import { ADDRESS, credentialOf, type Socket, settled } from './sockets';

/** As a file stream reads. */
const PIECE = Buffer.alloc(64 * 1024, 'upload');
const PATIENCE_MS = 60_000;

/** Counts the questions, so that nobody measures requests that were none. */
interface Counted {
  readonly open: () => Socket;
  questions: number;
}

/** Of the one kind that this process measures. */
let client: Counted | undefined;

export async function measureTransfer(setup: Setup, task: TransferTask): Promise<TransferSample> {
  client ??= counted(setup, task.kind);
  client.questions = 0;
  const socket = await settled(client.open(), 'secureConnect');
  const failed = new Promise<never>((_, reject) => {
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('the server hung up')));
  });
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  // Whom the server sees then is said after the last request and its answer.
  const seen = await Promise.race([transfer(socket, task), failed]);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
  check(task, seen, client.questions);
  socket.destroy();
  return { cpu: (user + system) / 1e6, wall: seconds };
}

function counted(setup: Setup, kind: TransferKind): Counted {
  const { serverCa: ca } = setup.keys;
  const to = { ...ADDRESS, port: setup.port };
  if (kind === 'node') {
    const secureContext = tls.createSecureContext({ ca });
    return { questions: 0, open: () => tls.connect({ ...to, secureContext }) };
  }
  const credential = credentialOf(setup);
  const answer: ClientCertCallback =
    kind === 'suspended'
      ? () => new Promise((resolve) => setImmediate(resolve, credential))
      : () => credential;
  const clientCertCallback: ClientCertCallback = (request, context) => {
    self.questions++;
    return answer(request, context);
  };
  const secureContext = createSecureContext({ ca, clientCertCallback });
  // Without it only the first request is a question: OpenSSL answers the others by itself.
  const reselectClientCert = kind !== 'reused';
  const self: Counted = {
    questions: 0,
    open: () => connect({ ...to, secureContext, reselectClientCert }),
  };
  return self;
}

const COMMANDS: Record<Direction, string> = { download: 'source', upload: 'sink' };

async function transfer(socket: Socket, { direction, bytes, every }: TransferTask): Promise<Seen> {
  socket.write(`${COMMANDS[direction]} ${bytes}${every === 0 ? '' : ` every ${every}`}\n`);
  if (direction === 'download') await download(socket, bytes);
  else await upload(socket, bytes);
  return new Dialogue(socket).who();
}

function download(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    const take = (chunk: Buffer) => {
      left -= chunk.length;
      if (left > 0) return;
      socket.removeListener('data', take);
      resolve();
    };
    socket.on('data', take);
  });
}

/** Over when the server says that it has all of it. */
async function upload(socket: Socket, bytes: number): Promise<void> {
  const replies = new Dialogue(socket);
  for (let left = bytes; left > 0; left -= PIECE.length) {
    const goesOn = socket.write(left < PIECE.length ? PIECE.subarray(0, left) : PIECE);
    if (!goesOn) await once(socket, 'drain');
  }
  const reply = await replies.line(PATIENCE_MS);
  if (!reply.startsWith(`sunk ${bytes} `)) throw new Error(`the server says: ${reply}`);
}

/** What was measured was what was meant. */
function check({ kind, bytes, every }: TransferTask, { subject }: Seen, questions: number): void {
  const requests = every === 0 ? 0 : Math.floor(bytes / every);
  const expected = kind === 'reused' ? Math.min(1, requests) : requests;
  if (questions !== expected) throw new Error(`${questions} questions instead of ${expected}`);
  if ((subject !== null) !== requests > 0) throw new Error(`the server sees ${subject}`);
}
