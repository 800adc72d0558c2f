/**
 * Measures this package beside `node:tls` and beside a small C client: data, requests, handshakes,
 * memory, and thousands of connections at once.
 *
 *     npm run bench
 *     npm run bench -- --only receive --only send --megabytes 2000
 *     npm run bench -- --compare old.json
 *     npm run bench -- --rounds 21 --json result.json
 *
 * How a fair reading is made. The server is another process, and so is each row of a table: a row's
 * CPU time is that of its whole process, collector and compiler threads included, and no row profits
 * from another's warm code. Rounds are interleaved, so that a slow moment of the machine hits all
 * rows alike; a ratio is taken within its round, and the median of the ratios is read with its
 * spread. All clients have the same cipher suite, group, certificates and checks, and share what
 * they can: a context that is made once. Seconds differ from machine to machine and from minute to
 * minute, ratios less; where a spread is wide, the machine was busy: run it again.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { join, relative } from 'node:path';
import { createPki, removePki } from '../test/support/pki-build';
import { caveats, compare, comparisonTable } from './compare';
import { Floor } from './floor';
import type { Credentials } from './messages';
import { type BenchOptions, parseOptions } from './options';
import type { Sizes } from './part';
import { PARTS, type PartName } from './parts/index';
import { picture } from './picture';
import { stopAll } from './processes';
import { type RunRecord, readRecord, recordText } from './record';
import { printTable } from './report';
import { judge, verdictTable } from './summary';
import type { Figures } from './targets';

const FOLDER = join(__dirname, '../docs/bench');

const machine = {
  node: process.versions.node,
  openssl: process.versions.openssl,
  platform: platform(),
  arch: arch(),
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
};

async function measure(names: readonly PartName[], sizes: Sizes): Promise<RunRecord> {
  const pki = await createPki();
  const keys: Credentials = {
    serverCert: pki.server.cert,
    serverKey: pki.server.key,
    serverCa: pki.serverCa.cert,
    clientCert: pki.clients.ec256.cert,
    clientKey: pki.clients.ec256.key,
    clientCa: pki.clientCaA.cert,
  };
  let compiled: Promise<Floor> | undefined;
  const floor = () => {
    compiled ??= Floor.compile(pki);
    return compiled;
  };
  let figures: Figures = {};
  let floorOpenssl: string | undefined;
  const parts: Record<string, unknown> = {};
  try {
    for (const name of names) {
      console.log();
      const { figures: found, ...details } = await PARTS[name]({ pki, keys, floor, ...sizes });
      figures = { ...figures, ...found };
      parts[name] = details;
    }
    floorOpenssl = await compiled?.then((it) => it.version());
  } finally {
    await removePki(pki.dir);
    await compiled?.then((it) => it.remove());
  }
  return { ...machine, floorOpenssl, settings: { ...sizes }, verdicts: judge(figures), parts };
}

/** The result of all targets, for the documents: named by Node's major version and nothing else. */
async function publish(record: RunRecord): Promise<void> {
  const path = join(FOLDER, `node-${machine.node.split('.')[0]}`);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(`${path}.json`, recordText(record));
  await writeFile(`${path}.svg`, picture(record));
  console.log(`\nWritten: ${relative(process.cwd(), path)}.json and .svg`);
}

async function main({ names, sizes, json, compareWith, write }: BenchOptions): Promise<void> {
  // Before it takes all that time; and it may be the file that is about to be written.
  const older = compareWith === undefined ? undefined : await readRecord(compareWith);
  const { node, openssl, cores, cpu } = machine;
  console.log(
    `Node ${node}, OpenSSL ${openssl}, ${machine.platform} ${machine.arch}, ${cores} × ${cpu}`,
  );
  const record = await measure(names, sizes);
  if (record.verdicts.length > 0) {
    const { floorOpenssl } = record;
    const floor = floorOpenssl === undefined ? '' : ` C is over OpenSSL ${floorOpenssl}.`;
    console.log(`\nBeside the targets, by client CPU where nothing else is said.${floor}\n`);
    printTable(verdictTable(record.verdicts));
  }
  if (older !== undefined) {
    console.log(`\nBeside ${compareWith}:\n`);
    for (const sentence of caveats(older, record)) console.log(sentence);
    printTable(comparisonTable(compare(older.verdicts, record.verdicts)));
  }
  if (json !== undefined) await writeFile(json, recordText(record));
  if (write) await publish(record);
}

Promise.resolve()
  .then(() => main(parseOptions(process.argv.slice(2))))
  .catch((error: unknown) => {
    console.error(`The benchmark failed: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  })
  .finally(stopAll);
