/** Handshakes through SoftHSM, beside `openssl s_client` with its PKCS#11 engine doing the same. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { HandshakeSample, KeyPlace } from '../messages';
import { KEYS } from '../messages';
import type { PartOptions, PartResult } from '../part';
import { startClients, startNodeServer } from '../processes';
import { printTable, show, summarize } from '../report';

const run = promisify(execFile);

const LABEL = 'bench';
/** Each of `s_client` is a process of its own. */
const S_CLIENT_COUNT = 10;
const CONCURRENCY = 8;
const OURS = 'tls-client-cert';
const OPENSSL = 'openssl s_client';

interface Row {
  readonly program: string;
  readonly place: KeyPlace;
  readonly concurrency: number;
  /** Milliseconds for each handshake, a round in each. */
  readonly wall: number[];
}

export async function tokens(options: PartOptions): Promise<PartResult> {
  // Not before it is wanted: it looks for SoftHSM at once.
  const { PIN, SOFTHSM, SoftHsm } =
    require('../../test/support/softhsm') as typeof import('../../test/support/softhsm');
  const { pki, keys, rounds, handshakes: count } = options;
  const softHsm = await SoftHsm.make({
    tokens: { [LABEL]: [{ label: LABEL, id: '01', identity: pki.clients.ec256 }] },
  });
  try {
    Object.assign(process.env, softHsm.env, { PKCS11_MODULE_PATH: SOFTHSM });
    const { greeting: port } = await startNodeServer(keys);
    const uri = `pkcs11:token=${LABEL};object=${LABEL}?pin-value=${PIN}`;
    const clients = startClients(KEYS, () => ({ keys, port }));
    const rows: Row[] = [];
    for (const concurrency of [1, CONCURRENCY]) {
      for (const place of KEYS) rows.push({ program: OURS, place, concurrency, wall: [] });
    }
    for (const place of KEYS) rows.push({ program: OPENSSL, place, concurrency: 1, wall: [] });
    const measure = async ({ program, place, concurrency }: Row): Promise<number> => {
      if (program === OPENSSL) return sClient(options, port, place, PIN);
      const task = {
        task: 'token',
        kind: place,
        module: SOFTHSM,
        uri,
        count,
        concurrency,
      } as const;
      const sample = await clients.get(place)?.run<HandshakeSample>(task);
      return (sample?.wall ?? NaN) / 1000;
    };
    for (const row of rows) await measure(row);
    for (let round = 0; round < rounds; round++) {
      for (const row of rows) row.wall.push(await measure(row));
    }
    for (const client of clients.values()) await client.stop();
    return report(rows, options);
  } finally {
    await softHsm.remove();
  }
}

/** Milliseconds for each process. */
async function sClient(
  { pki }: PartOptions,
  port: number,
  place: KeyPlace,
  pin: string,
): Promise<number> {
  const key =
    place === 'memory'
      ? ['-key', pki.clients.ec256.keyPath]
      : [
          ...['-engine', 'pkcs11', '-keyform', 'engine', '-key'],
          `pkcs11:token=${LABEL};object=${LABEL};type=private;pin-value=${pin}`,
        ];
  const started = process.hrtime.bigint();
  for (let i = 0; i < S_CLIENT_COUNT; i++) {
    const { stdout } = await run('openssl', [
      ...['s_client', '-quiet', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost'],
      ...['-CAfile', pki.serverCa.certPath, '-verify_return_error'],
      ...['-cert', pki.clients.ec256.certPath, ...key],
    ]);
    if (stdout !== '!') throw new Error(`the server accepted no certificate of ${OPENSSL}`);
  }
  return Number(process.hrtime.bigint() - started) / 1e6 / S_CLIENT_COUNT;
}

function report(rows: readonly Row[], { rounds, handshakes: count }: PartOptions): PartResult {
  const figures = rows.map(({ wall, ...row }) => ({
    ...row,
    wall: summarize(wall),
    perSecond: summarize(wall.map((ms) => 1000 / ms)),
  }));
  console.log(
    `Full TLS 1.3 mutual handshakes, ECDSA P-256, by SoftHSM: median (middle half) of ${rounds} ` +
      `interleaved rounds of ${count}; of ${OPENSSL} ${S_CLIENT_COUNT}, each a process.\n`,
  );
  printTable([
    ['', 'key', 'at a time', 'wall, ms', 'handshakes a second'],
    ...figures.map(({ program, place, concurrency, wall, perSecond }) => [
      program,
      place,
      String(concurrency),
      show(wall, 2),
      show(perSecond),
    ]),
  ]);
  return { rounds, handshakesPerRound: count, rows: figures };
}
