/** Small requests and replies over connections that are kept. */
import type { RequestsSample, RequestsTask, Setup } from '../messages';
import { quantile } from '../report';
import { type Opener, openerOf, type Socket, settled } from './sockets';

const MESSAGE = Buffer.alloc(64 * 1024, 'message');

/** Handshakes at a time while the connections are opened. */
const OPENING = 50;

/** The connections of the one kind and number that this process measures. */
let kept: Promise<readonly Caller[]> | undefined;

export async function measureRequests(setup: Setup, task: RequestsTask): Promise<RequestsSample> {
  kept ??= connectAll(openerOf(setup, task.kind), task);
  const callers = await kept;
  const elapsed: number[] = [];
  let left = task.count;
  /** Goes round its own share of the connections. */
  const worker = async (share: readonly Caller[]) => {
    for (let i = 0; left > 0; i = (i + 1) % share.length) {
      left--;
      elapsed.push((await share[i]?.call()) ?? Number.NaN);
    }
  };
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await Promise.all(shares(callers, task.underWay).map(worker));
  const { user, system } = process.cpuUsage(cpu);
  const total = Number(process.hrtime.bigint() - wall) / 1000;
  elapsed.sort((a, b) => a - b);
  return {
    cpu: (user + system) / task.count,
    wall: total / task.count,
    p50: quantile(elapsed, 0.5),
    p99: quantile(elapsed, 0.99),
  };
}

function shares<T>(items: readonly T[], count: number): T[][] {
  const all: T[][] = Array.from({ length: Math.min(count, items.length) }, () => []);
  items.forEach((item, i) => {
    all[i % all.length]?.push(item);
  });
  return all;
}

async function connectAll(open: Opener, { connections, size }: RequestsTask): Promise<Caller[]> {
  const callers: Caller[] = [];
  let left = connections;
  const worker = async () => {
    while (left-- > 0) {
      const socket = await settled(open(), 'secureConnect');
      const caller = new Caller(socket, size);
      // The server has accepted us, and knows what to do.
      socket.write(`echo ${size}\n`);
      await caller.call();
      callers.push(caller);
    }
  };
  await Promise.all(Array.from({ length: OPENING }, worker));
  return callers;
}

/** One request at a time, on one connection. */
class Caller {
  readonly #socket: Socket;
  readonly #size: number;
  #missing = 0;
  #answered = () => {};
  #failed = (_error: Error) => {};

  constructor(socket: Socket, size: number) {
    this.#socket = socket;
    this.#size = size;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error: Error) => this.#failed(error));
    socket.on('close', () => this.#failed(new Error('the server hung up')));
  }

  /** Resolves with the microseconds until the whole reply was there. */
  call(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) reject(new Error('the server had hung up'));
      const start = process.hrtime.bigint();
      this.#answered = () => resolve(Number(process.hrtime.bigint() - start) / 1000);
      this.#failed = reject;
      this.#missing = this.#size;
      this.#socket.write(MESSAGE.subarray(0, this.#size));
    });
  }

  #take(chunk: Buffer): void {
    this.#missing -= chunk.length;
    if (this.#missing === 0) this.#answered();
    else if (this.#missing < 0) this.#failed(new Error('the reply is longer than the request'));
  }
}
