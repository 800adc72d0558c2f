/**
 * Measures this package beside `node:tls`: handshakes, memory, data with requests in between, how
 * fast an answer leaves, and what a signer costs.
 *
 *     npm run bench
 *     npm run bench -- --only post-handshake --megabytes 1024
 *     npm run bench -- --rounds 21 --json result.json
 *
 * The server is another process, and so is each row of a table: a row's CPU time is that of its
 * whole process, collector and compiler threads included, and no row profits from another's warm
 * code. Rounds are interleaved, so that a slow moment of the machine hits all rows alike; a ratio
 * is taken within its round.
 */
import { writeFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { parseArgs } from 'node:util';
import { createPki, removePki } from '../test/support/pki-build';
import { Floor } from './floor';
import type { Part } from './part';
import { handshakes } from './parts/handshakes';
import { memory } from './parts/memory';
import { postHandshake } from './parts/post-handshake';
import { requests } from './parts/requests';
import { resumeLatency } from './parts/resume-latency';
import { signers } from './parts/signers';
import { receive, send } from './parts/throughput';
import { tokens } from './parts/tokens';
import { stopAll } from './processes';

const PARTS: Readonly<Record<string, Part>> = {
  receive,
  send,
  requests,
  handshakes,
  memory,
  'post-handshake': postHandshake,
  'resume-latency': resumeLatency,
  signers,
  tokens,
};

/** `tokens` needs SoftHSM, OpenSC and OpenSSL's PKCS#11 engine. */
function isSelfContained(part: string): boolean {
  return part !== 'tokens';
}

const { values: options } = parseArgs({
  options: {
    /** The parts to run, `--only` before each; default: all that need nothing installed. */
    only: { type: 'string', multiple: true, default: Object.keys(PARTS).filter(isSelfContained) },
    rounds: { type: 'string', default: '11' },
    handshakes: { type: 'string', default: '200' },
    connections: { type: 'string', default: '1000' },
    megabytes: { type: 'string' },
    every: { type: 'string', default: '10' },
    answers: { type: 'string', default: '100' },
    requests: { type: 'string', default: '10000' },
    json: { type: 'string' },
  },
});

function positive(name: Exclude<keyof typeof options, 'only' | 'json'>): number {
  const value = Number(options[name]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} takes a positive whole number`);
}

function chosenParts(): [string, Part][] {
  return options.only.map((name) => {
    const part = Object.hasOwn(PARTS, name) ? PARTS[name] : undefined;
    if (part !== undefined) return [name, part];
    throw new Error(`--only takes one of ${Object.keys(PARTS).join(', ')}`);
  });
}

async function main(): Promise<void> {
  const parts = chosenParts();
  const sizes = {
    rounds: positive('rounds'),
    handshakes: positive('handshakes'),
    connections: positive('connections'),
    megabytes: options.megabytes === undefined ? undefined : positive('megabytes'),
    every: positive('every'),
    answers: positive('answers'),
    requests: positive('requests'),
  };
  const pki = await createPki();
  const keys = {
    serverCert: pki.server.cert,
    serverKey: pki.server.key,
    serverCa: pki.serverCa.cert,
    clientCert: pki.clients.ec256.cert,
    clientKey: pki.clients.ec256.key,
    clientCa: pki.clientCaA.cert,
  };
  const machine = {
    node: process.versions.node,
    openssl: process.versions.openssl,
    platform: platform(),
    arch: arch(),
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
  };
  console.log(
    `Node ${machine.node}, OpenSSL ${machine.openssl}, ${machine.platform} ${machine.arch}, ` +
      `${machine.cores} × ${machine.cpu}`,
  );
  let compiled: Promise<Floor> | undefined;
  const floor = () => {
    compiled ??= Floor.compile(pki);
    return compiled;
  };
  const results: Record<string, object> = {};
  try {
    for (const [name, part] of parts) {
      console.log();
      results[name] = await part({ pki, keys, floor, ...sizes });
    }
  } finally {
    await removePki(pki.dir);
    await compiled?.then((it) => it.remove());
  }
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ ...machine, ...results }, null, 2)}\n`);
  }
}

main()
  .catch((error: unknown) => {
    console.error(`The benchmark failed: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  })
  .finally(stopAll);
