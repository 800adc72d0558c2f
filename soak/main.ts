/**
 * A load of all that connections go through, for as long as is wanted, and what is left of it.
 *
 *     npm run soak -- --minutes 2
 *     npm run soak -- --connections 1000000 --json result.json
 *     npm run soak -- --seed 7 --only upload --from 1234 --connections 1
 *
 * The client is this process; the servers are others. Every ten seconds the load pauses until nothing is
 * under way: what is there then, after a collection, is what connections left. Ctrl-C ends the load and
 * prints the report so far. It ends with 1 when something was left over, grew, or failed unforeseen.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createPki, removePki } from '../test/support/pki-build';
import { judge } from './judgement';
import { Load } from './load';
import type { Ports } from './messages';
import { parseOptions, type SoakOptions } from './options';
import { printProgress, printReport, type Report } from './report';
import { cached, rest, type Sample } from './samples';
import { Tally } from './tally';
import { createWorld, type World } from './world';

/** Of the load between two samples, in ms. */
const SEGMENT = 10_000;
/** Of the timer that measures the loop's delay, in ms. */
const RESOLUTION = 2;

async function startServers(folder: string): Promise<{ child: ChildProcess; ports: Ports }> {
  const child = fork(join(__dirname, 'servers.ts'), {
    detached: true,
    execArgv: process.execArgv.filter((argument) => argument !== '--expose-gc'),
  });
  child.send(folder);
  const gone = once(child, 'exit').then(() => {
    throw new Error("the servers' process ended before its time");
  });
  const [ports] = (await Promise.race([once(child, 'message'), gone])) as [Ports];
  gone.catch(() => {});
  return { child, ports };
}

/** Ends at Ctrl-C; at the second the system's own way. */
function interruption(): { readonly came: boolean } {
  const state = { came: false };
  process.once('SIGINT', () => {
    state.came = true;
    console.log('\nEnding what is under way; once more to leave at once.');
  });
  return state;
}

async function soak(world: World, options: SoakOptions): Promise<Report> {
  const { seed, lanes, judgesGrowth } = options;
  const since = performance.now();
  const { node, openssl } = process.versions;
  console.log(`Node ${node}, OpenSSL ${openssl}; seed ${seed}, ${lanes} at once`);
  const interrupted = interruption();
  const warmUp = new Tally();
  const load = (tally: Tally) => new Load(world, tally, options);
  // A single connection that is repeated needs none.
  if (options.connections > 1) await load(warmUp).tour();
  const base = { ...(await rest(world, 0, since)), spare: cached(world) };
  const tally = new Tally();
  const main = load(tally);
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  const samples: Sample[] = [];
  const end = since + options.minutes * 60_000;
  const isOver = () =>
    interrupted.came ||
    tally.isHopeless ||
    performance.now() >= end ||
    tally.connections >= options.connections;
  let busy = 0;
  let cpu = 0;
  while (!isOver()) {
    const before = { at: performance.now(), cpu: process.cpuUsage(), made: tally.connections };
    histogram.enable();
    await main.run(() => isOver() || performance.now() - before.at >= SEGMENT);
    histogram.disable();
    const took = (performance.now() - before.at) / 1000;
    const used = process.cpuUsage(before.cpu);
    busy += took;
    cpu += (used.user + used.system) / 1e6;
    const sample = await rest(world, tally.connections, since, base);
    samples.push(sample);
    printProgress(sample, base, (tally.connections - before.made) / took, tally.unexpected);
  }
  tally.surprises.unshift(...warmUp.surprises);
  const ms = (value: number) => Math.max(0, value / 1e6 - RESOLUTION);
  return {
    ...{ tally, seed, base, samples, busy, cpu, judgesGrowth },
    unexpected: tally.unexpected + warmUp.unexpected,
    delay: {
      p50: ms(histogram.percentile(50)),
      p99: ms(histogram.percentile(99)),
      max: ms(histogram.max),
    },
  };
}

async function main(options: SoakOptions): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('it needs --expose-gc');
  const pki = await createPki();
  let servers: ChildProcess | undefined;
  try {
    const { child, ports } = await startServers(pki.dir);
    servers = child;
    const report = await soak(createWorld(pki, ports), options);
    printReport(report);
    if (options.json !== undefined) await writeFile(options.json, jsonOf(report));
    if (judge(report).length > 0) process.exitCode = 1;
  } finally {
    if (servers?.connected) servers.disconnect();
    await removePki(pki.dir);
  }
}

function jsonOf({ tally, ...rest }: Report): string {
  const kinds = [...tally.rows].map(([kind, row]) => ({
    kind,
    ...row,
    expected: Object.fromEntries(row.expected),
  }));
  const { surprises, connections } = tally;
  const node = process.versions.node;
  return `${JSON.stringify({ node, connections, ...rest, kinds, surprises }, null, 2)}\n`;
}

Promise.resolve()
  .then(() => main(parseOptions(process.argv.slice(2))))
  .catch((error: unknown) => {
    console.error(`The soak failed: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  })
  // What hung keeps hanging.
  .finally(() => process.exit());
