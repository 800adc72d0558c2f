/** The processes that the benchmark starts, and what it asks them. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Credentials, Ports, Reply, Setup, Task } from './messages';
import type { Runner } from './rounds';

const children = new Set<ChildProcess>();

/** Has {@link stopAll} end the process: by its channel, or by its input. */
export function adopt<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

function start(file: string): ChildProcess {
  return adopt(fork(join(__dirname, file), { execArgv: process.execArgv }));
}

async function ask<T>(child: ChildProcess, message: object): Promise<T> {
  const answered = new AbortController();
  const { signal } = answered;
  child.send(message);
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error('a child process ended before its time');
  });
  try {
    const [reply] = (await Promise.race([once(child, 'message', { signal }), gone])) as [T];
    return reply;
  } finally {
    answered.abort();
  }
}

/** Measures what it is told to, one task at a time. */
export class Client {
  readonly #child: ChildProcess;

  constructor(setup: Setup) {
    this.#child = start('client.ts');
    this.#child.send(setup);
  }

  async run<Sample>(task: Task): Promise<Sample> {
    const reply = await ask<Reply<Sample>>(this.#child, task);
    if ('error' in reply) throw new Error(`${task.kind}: ${reply.error}`);
    return reply.sample;
  }

  /** Resolves when the process is gone, so that it disturbs nobody who is measured next. */
  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }
}

/** A client that does one task over and over, once it has done `warmUp`. */
export async function startRunner<Sample>(
  setup: Setup,
  task: Task,
  warmUp: Task,
): Promise<Runner<Sample>> {
  const client = new Client(setup);
  await client.run(warmUp);
  return { run: () => client.run<Sample>(task), stop: () => client.stop() };
}

/** One process for each kind, so that none profits from another's warm code. */
export function startClients<Kind extends string>(
  kinds: readonly Kind[],
  setupOf: (kind: Kind) => Setup,
): Map<Kind, Client> {
  return new Map(kinds.map((kind) => [kind, new Client(setupOf(kind))]));
}

/** Starts Node's own server; it lasts until {@link stopAll}. */
export function startNodeServer(keys: Credentials): Promise<Ports> {
  return ask<Ports>(start('server.ts'), keys);
}

export function stopAll(): void {
  for (const child of children) {
    if (child.connected) child.disconnect();
    child.stdin?.end();
  }
}
