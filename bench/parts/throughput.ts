/**
 * What a gigabyte costs, received, received into one buffer by the option `onread`, or sent, beside
 * `node:tls` and the C floor.
 */
import {
  CLIENTS,
  type ClientKind,
  type ThroughputDirection,
  type TransferSample,
} from '../messages';
import type { Part, PartOptions } from '../part';
import { startRunner } from '../processes';
import { printTable, ratios, show, summarize } from '../report';
import { interleave } from '../rounds';

type Row = ClientKind | 'floor';

const ROWS: readonly Row[] = [...CLIENTS, 'floor'];

const NAMES: Record<Row, string> = {
  node: 'node:tls',
  ours: 'ours',
  'ours-stream': "ours, transport: 'stream'",
  floor: 'C over blocking sockets',
};

const WORDS: Record<ThroughputDirection, string> = {
  receive: 'To receive',
  onread: 'With onread, to receive',
  send: 'To send',
};

const MEGABYTE = 1e6;
const WARM_UP_MEGABYTES = 1_024;
const DEFAULT_MEGABYTES = 256;

async function measure(
  direction: ThroughputDirection,
  { keys, rounds, floor: compile }: PartOptions,
  megabytes: number,
): Promise<Record<Row, TransferSample[]>> {
  const floor = await compile();
  const port = await floor.startServer();
  return interleave(ROWS, rounds, async (row) => {
    const bytes = megabytes * MEGABYTE;
    if (row === 'floor') {
      // Which has one buffer in any case.
      return floor.runner(direction === 'onread' ? 'receive' : direction, port, bytes);
    }
    const task = { task: 'throughput', kind: row, direction, bytes } as const;
    return startRunner({ keys, port }, task, { ...task, bytes: WARM_UP_MEGABYTES * MEGABYTE });
  });
}

function throughput(direction: ThroughputDirection): Part {
  return async (options) => {
    const { rounds, megabytes = DEFAULT_MEGABYTES } = options;
    const samples = await measure(direction, options, megabytes);
    const cpu = (row: Row) => samples[row].map((sample) => sample.cpu);
    const rows = ROWS.map((row) => ({
      name: NAMES[row],
      kind: row,
      perGigabyte: summarize(cpu(row).map((seconds) => (seconds * 1000) / megabytes)),
      besideNode: ratios(cpu(row), cpu('node')),
      besideFloor: ratios(cpu(row), cpu('floor')),
      rate: summarize(samples[row].map(({ wall }) => megabytes / wall)),
    }));
    console.log(
      `${WORDS[direction]} ${megabytes} MB on one connection, TLS 1.3, AES-256-GCM: median (middle half) ` +
        `of ${rounds} interleaved rounds.\n`,
    );
    printTable([
      ['', 'client CPU, s/GB', 'beside node:tls', 'beside C', 'wall, MB/s'],
      ...rows.map(({ name, perGigabyte, besideNode, besideFloor, rate }) => [
        name,
        show(perGigabyte, 2),
        show(besideNode, 2),
        show(besideFloor, 2),
        show(rate),
      ]),
    ]);
    const figures = {
      [`${direction}/node`]: ratios(cpu('ours'), cpu('node')),
      [`${direction}/floor`]: ratios(cpu('ours'), cpu('floor')),
    };
    return { figures, rounds, megabytes, rows };
  };
}

export const receive = throughput('receive');
export const onread = throughput('onread');
export const send = throughput('send');
