/**
 * Measures mutual TLS 1.3 handshakes beside `node:tls`, and the memory of suspended ones.
 *
 *     npm run bench
 *     npm run bench -- --rounds 21 --json result.json
 *
 * The server is another process, and so is each row of the table: a row's CPU time is that of its
 * whole process, collector and compiler threads included, and no row profits from another's warm
 * code. Rounds are interleaved, so that a slow moment of the machine hits all rows alike; a ratio
 * is taken within its round.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPki, removePki } from '../test/support/pki-build';
import {
  type Credentials,
  HANDSHAKES,
  type HandshakeKind,
  type HandshakeSample,
  HOLDS,
  type HoldKind,
  type HoldSample,
  type Ports,
  type Reply,
  type Setup,
  type Task,
} from './messages';
import { printTable, show, summarize } from './report';

const HANDSHAKE_NAMES: Record<HandshakeKind, string> = {
  node: 'node:tls, static certificate',
  'at-once': 'callback, answers at once',
  suspended: 'callback, suspended one turn',
  static: 'static certificate',
};

const HOLD_NAMES: Record<HoldKind, string> = {
  'node-idle': 'node:tls, idle',
  idle: 'idle',
  suspended: 'suspended handshake',
};

/** Connections open at a time; it keeps both processes busy. */
const CONCURRENCY = 8;
const WARM_UP = 400;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '11' },
    handshakes: { type: 'string', default: '200' },
    connections: { type: 'string', default: '1000' },
    json: { type: 'string' },
  },
});

function positive(name: 'rounds' | 'handshakes' | 'connections'): number {
  const value = Number(options[name]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} takes a positive whole number`);
}

const children = new Set<ChildProcess>();

function start(file: string): ChildProcess {
  const child = fork(join(__dirname, file), { execArgv: process.execArgv });
  children.add(child);
  return child;
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

async function run<Sample>(child: ChildProcess, task: Task): Promise<Sample> {
  const reply = await ask<Reply<Sample>>(child, task);
  if ('error' in reply) throw new Error(`${task.kind}: ${reply.error}`);
  return reply.sample;
}

function startClient(setup: Setup): ChildProcess {
  const child = start('client.ts');
  child.send(setup);
  return child;
}

/** One list of samples for each kind, all of the same length. */
type Samples<Kind extends string, Sample> = Record<Kind, Sample[]>;

async function measureHandshakes(setup: Setup, rounds: number, count: number) {
  const task = { task: 'handshakes', concurrency: CONCURRENCY } as const;
  const clients = new Map(HANDSHAKES.map((kind) => [kind, startClient(setup)]));
  const samples: Samples<HandshakeKind, HandshakeSample> = {
    node: [],
    'at-once': [],
    suspended: [],
    static: [],
  };
  for (const [kind, client] of clients) await run(client, { ...task, kind, count: WARM_UP });
  for (let round = 0; round < rounds; round++) {
    for (const [kind, client] of clients) {
      samples[kind].push(await run(client, { ...task, kind, count }));
    }
  }
  for (const client of clients.values()) client.disconnect();
  return samples;
}

/** In a new process each time: memory that was used once does not count as new. */
async function measureHolds(setup: Setup, rounds: number, count: number) {
  const samples: Samples<HoldKind, HoldSample> = { 'node-idle': [], idle: [], suspended: [] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of HOLDS) {
      const client = startClient(setup);
      samples[kind].push(await run(client, { task: 'hold', kind, count }));
      client.disconnect();
      await once(client, 'exit');
    }
  }
  return samples;
}

async function main(): Promise<void> {
  const rounds = positive('rounds');
  const count = positive('handshakes');
  const connections = positive('connections');
  const pki = await createPki();
  const keys: Credentials = {
    serverCert: pki.server.cert,
    serverKey: pki.server.key,
    serverCa: pki.serverCa.cert,
    clientCert: pki.clients.ec256.cert,
    clientKey: pki.clients.ec256.key,
    clientCa: pki.clientCaA.cert,
  };
  await removePki(pki.dir);
  const setup: Setup = { keys, ports: await ask<Ports>(start('server.ts'), keys) };

  console.log(
    `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}, ${platform()} ${arch()}, ` +
      `${availableParallelism()} × ${cpus()[0]?.model}\n`,
  );
  const handshakes = await measureHandshakes(setup, rounds, count);
  const handshakeRows = HANDSHAKES.map((kind) => ({
    name: HANDSHAKE_NAMES[kind],
    kind,
    cpu: summarize(handshakes[kind].map(({ cpu }) => cpu)),
    ratio: summarize(handshakes[kind].map(({ cpu }, i) => cpu / (handshakes.node[i]?.cpu ?? NaN))),
    wall: summarize(handshakes[kind].map(({ wall }) => wall)),
  }));
  console.log(
    `Full TLS 1.3 mutual handshakes, ECDSA P-256: median (middle half) of ${rounds} interleaved ` +
      `rounds of ${count}, ${CONCURRENCY} at a time.\nOne is: connect, handshake, a byte from the ` +
      'server, close.\n',
  );
  printTable([
    ['', 'client CPU, µs', 'beside node:tls', 'wall, µs'],
    ...handshakeRows.map(({ name, cpu, ratio, wall }) => [
      name,
      show(cpu),
      show(ratio, 2),
      show(wall),
    ]),
  ]);

  const holdRounds = Math.min(rounds, 3);
  const holds = await measureHolds(setup, holdRounds, connections);
  const holdRows = HOLDS.map((kind) => ({
    name: HOLD_NAMES[kind],
    kind,
    rss: summarize(holds[kind].map(({ rss }) => rss)),
    heap: summarize(holds[kind].map(({ heap }) => heap)),
    external: summarize(holds[kind].map(({ external }) => external)),
  }));
  console.log(
    `\nMemory of the client process for each of ${connections} connections at once, in KiB: ` +
      `median (middle half) of ${holdRounds} runs, after garbage collection.\nRSS has all of it but ` +
      'what the kernel keeps.\n',
  );
  const kib = ({ median, low, high }: ReturnType<typeof summarize>) =>
    show({ median: median / 1024, low: low / 1024, high: high / 1024 }, 1);
  printTable([
    ['', 'RSS', 'JavaScript heap', 'external'],
    ...holdRows.map(({ name, rss, heap, external }) => [name, kib(rss), kib(heap), kib(external)]),
  ]);

  if (options.json !== undefined) {
    const result = {
      node: process.versions.node,
      openssl: process.versions.openssl,
      platform: platform(),
      arch: arch(),
      cpu: cpus()[0]?.model,
      cores: availableParallelism(),
      rounds,
      handshakesPerRound: count,
      concurrency: CONCURRENCY,
      handshakes: handshakeRows,
      connectionsHeld: connections,
      memory: holdRows,
    };
    await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

main()
  .catch((error: unknown) => {
    console.error(`The benchmark failed: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  })
  .finally(() => {
    for (const child of children) if (child.connected) child.disconnect();
  });
