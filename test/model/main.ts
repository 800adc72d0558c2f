/**
 * Tries random scenarios on the model, and prints the shortest that breaks it.
 *
 *     npm run test:model -- --runs 5000
 *     npm run test:model -- --seconds 60
 *     npm run test:model -- --seed 42 --path 17:3
 *     npm run test:model -- --scenario "{ setup: …, steps: […] }" --runs 100
 *     npm run test:model -- --mutants
 *
 * Real sockets and processes keep their own time: the same seed gives the same scenarios, but what is
 * found may need several runs to be seen again.
 */
import tls from 'node:tls';
import { parseArgs } from 'node:util';
import { stopLeftovers } from '../support/leftovers';
import { PKI_VARIABLE } from '../support/pki';
import { createPki, removePki } from '../support/pki-build';

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      path: { type: 'string' },
      scenario: { type: 'string' },
      mutants: { type: 'boolean', default: false },
    },
  });
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const given = process.env[PKI_VARIABLE];
  const { dir } = await createPki(given);
  process.env[PKI_VARIABLE] = dir;
  // Not what is tried here, and node:tls counts those of its own server as well.
  Object.assign(tls, { CLIENT_RENEG_LIMIT: 10_000 });
  // It reads the PKI when it is loaded.
  const { repeat, tryMutants, tryScenarios } = require('./try') as typeof import('./try');
  try {
    if (values.mutants) return await tryMutants();
    if (values.scenario !== undefined) {
      return await repeat(values.scenario, number(values.runs) ?? 1);
    }
    return await tryScenarios({
      runs: number(values.runs),
      seconds: number(values.seconds),
      seed: number(values.seed) ?? Math.floor(Math.random() * 2 ** 31),
      path: values.path,
    });
  } finally {
    await stopLeftovers();
    if (given === undefined) await removePki(dir);
  }
}

main().then(
  (good) => process.exit(good ? 0 : 1),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
