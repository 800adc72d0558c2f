/** Small requests and replies over connections that are kept. */

import type { RequestsSample, RequestsTask, Setup } from '../messages';
import { quantile } from '../report';
import { type Opener, openerOf, type Socket, settled } from './sockets';

/** The connections of the one kind and number that this process measures. */
let kept: Promise<readonly Caller[]> | undefined;

export async function measureRequests(setup: Setup, task: RequestsTask): Promise<RequestsSample> {
  kept ??= connectAll(openerOf(setup, task.kind), task);
  const callers = await kept;
  const elapsed: number[] = [];
  let left = task.count;
  const worker = async (caller: Caller) => {
    while (left-- > 0) elapsed.push(await caller.call());
  };
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await Promise.all(callers.map(worker));
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

function connectAll(open: Opener, { connections, size }: RequestsTask): Promise<Caller[]> {
  return Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = await settled(open(), 'secureConnect');
      socket.write(`echo ${size}\n`);
      return new Caller(socket, size);
    }),
  );
}

/** One request at a time, on one connection. */
class Caller {
  readonly #socket: Socket;
  readonly #message: Buffer;
  #missing = 0;
  #answered = () => {};
  #failed = (_error: Error) => {};

  constructor(socket: Socket, size: number) {
    this.#socket = socket;
    this.#message = Buffer.alloc(size, 'request');
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error: Error) => this.#failed(error));
    socket.on('close', () => this.#failed(new Error('the server hung up')));
  }

  /** Resolves with the microseconds until the whole reply was there. */
  call(): Promise<number> {
    return new Promise((resolve, reject) => {
      const start = process.hrtime.bigint();
      this.#answered = () => resolve(Number(process.hrtime.bigint() - start) / 1000);
      this.#failed = reject;
      this.#missing = this.#message.length;
      this.#socket.write(this.#message);
    });
  }

  #take(chunk: Buffer): void {
    this.#missing -= chunk.length;
    if (this.#missing === 0) this.#answered();
    else if (this.#missing < 0) this.#failed(new Error('the reply is longer than the request'));
  }
}
