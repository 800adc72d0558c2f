/** What is tried: how a connection is set up, and what then happens to it, step by step, as words. */
import fc from 'fast-check';
import type { Protocol } from '../support/client';

const HOW = ['at once', 'turns later', 'promise', 'suspend'] as const;
const WHAT = ['A', 'B', 'signer', 'decline', 'throw', 'garbage'] as const;

/** `promise`: until the step `settle`; `suspend`: SUSPEND, and later this, if a step says so. */
export type Answer = `${(typeof HOW)[number]} ${(typeof WHAT)[number]}`;

export interface Setup {
  /** `python` asks after the handshake, on TLS 1.3. */
  readonly peer: 'node' | 'python';
  readonly protocol: Protocol;
  readonly transport: 'auto' | 'stream';
  readonly reading: 'flowing' | 'manual' | 'onread';
  readonly asksFirst: boolean;
  readonly allowHalfOpen: boolean;
  readonly reselect: boolean;
  readonly requires: boolean;
  /** A certificate set in advance, beside the callback. */
  readonly preset: boolean;
  readonly highWaterMark: number | null;
  /** One for each call of the callback; after them always `at once A`. */
  readonly answers: readonly Answer[];
}

export interface Scenario {
  readonly setup: Setup;
  readonly steps: readonly string[];
}

/** Bytes: nothing, a few, around a record, some records, and more than any buffer takes. */
const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 16_382, max: 16_386 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 150_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 200_000, max: 3_000_000 }) },
);

const answer: fc.Arbitrary<Answer> = fc
  .tuple(
    fc.constantFrom(...HOW),
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom('A', 'B', 'signer', 'decline' as const) },
      { weight: 1, arbitrary: fc.constantFrom('throw', 'garbage' as const) },
    ),
  )
  .map(([how, what]) => `${how} ${what}` as Answer);

const word = (text: string) => fc.constant(text);
const sized = (text: string, bytes: fc.Arbitrary<number>) => bytes.map((n) => `${text} ${n}`);

/** What a program may do within any event. */
const action = fc.oneof(
  { weight: 8, arbitrary: sized('write', size) },
  { weight: 3, arbitrary: sized('write silently', size) },
  { weight: 2, arbitrary: word('cork') },
  { weight: 2, arbitrary: word('uncork') },
  { weight: 3, arbitrary: word('pause') },
  { weight: 3, arbitrary: word('resume') },
  { weight: 2, arbitrary: sized('read', fc.integer({ min: 0, max: 70_000 })) },
  { weight: 2, arbitrary: word('read') },
  { weight: 2, arbitrary: word('end') },
  { weight: 1, arbitrary: sized('end', size) },
  { weight: 1, arbitrary: word('destroy') },
  { weight: 1, arbitrary: word('destroy with an error') },
  { weight: 1, arbitrary: word('destroy soon') },
  { weight: 1, arbitrary: word('abort the signal') },
  { weight: 3, arbitrary: word('settle') },
  { weight: 3, arbitrary: word('sign') },
  { weight: 3, arbitrary: word('resume again') },
  { weight: 3, arbitrary: word('resume answer') },
  { weight: 2, arbitrary: word('resume promise') },
  { weight: 1, arbitrary: word('resume abort') },
  { weight: 1, arbitrary: fc.constantFrom('timeout 0', 'timeout 1', 'timeout 60000') },
  { weight: 3, arbitrary: word('renegotiate') },
  { weight: 1, arbitrary: word('disable renegotiation') },
  { weight: 1, arbitrary: fc.constantFrom('fragment 512', 'fragment 5000', 'fragment 16384') },
  { weight: 3, arbitrary: word('look at everything') },
  { weight: 1, arbitrary: fc.constantFrom('ref', 'unref', 'no delay') },
);

const EVENTS = [
  'connect',
  'secureConnect',
  'question',
  'suspend',
  'signature',
  'data',
  'readable',
  'written',
  'drain',
  'renegotiated',
  'end',
  'finish',
  'timeout',
  'error',
  'close',
];

const peer = fc.oneof(
  { weight: 8, arbitrary: sized('peer write', size) },
  { weight: 6, arbitrary: word('peer ask') },
  { weight: 2, arbitrary: word('peer end') },
  { weight: 2, arbitrary: word('peer stall') },
  { weight: 2, arbitrary: word('peer flow') },
);

const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('up', 'down'), fc.integer({ min: 1, max: 400 }))
      .map(([way, n]) => `dribble ${way} ${n}`),
  },
  { weight: 2, arbitrary: fc.constantFrom('stall up', 'stall down') },
  { weight: 2, arbitrary: fc.constantFrom('flow up', 'flow down') },
  { weight: 1, arbitrary: fc.constantFrom('cut at a border', 'cut in a record', 'fin', 'reset') },
);

const gap = fc.oneof(
  { weight: 3, arbitrary: word('settled') },
  { weight: 3, arbitrary: word('turn') },
  { weight: 1, arbitrary: word('tick') },
  { weight: 2, arbitrary: word('secured') },
);

const step = fc.oneof(
  { weight: 8, arbitrary: action },
  { weight: 5, arbitrary: peer },
  { weight: 2, arbitrary: line },
  { weight: 6, arbitrary: gap },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...EVENTS), action)
      .map(([event, what]) => `when ${event}: ${what}`),
  },
);

const setup: fc.Arbitrary<Setup> = fc
  .record({
    where: fc.constantFrom<Pick<Setup, 'peer' | 'protocol'>>(
      { peer: 'node', protocol: 'TLSv1.2' },
      { peer: 'node', protocol: 'TLSv1.2' },
      { peer: 'node', protocol: 'TLSv1.3' },
      { peer: 'python', protocol: 'TLSv1.3' },
      { peer: 'python', protocol: 'TLSv1.3' },
    ),
    transport: fc.constantFrom('auto', 'stream' as const),
    reading: fc.constantFrom('flowing', 'flowing', 'manual', 'onread' as const),
    asksFirst: fc.boolean(),
    allowHalfOpen: fc.boolean(),
    reselect: fc.boolean(),
    requires: fc.nat(9).map((n) => n === 9),
    preset: fc.nat(9).map((n) => n === 9),
    highWaterMark: fc.constantFrom(null, null, 1, 1000, 100_000),
    answers: fc.array(answer, { maxLength: 6 }),
  })
  .map(({ where, ...rest }) => ({ ...where, ...rest }));

export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  setup,
  steps: fc.array(step, { maxLength: 30, size: 'max' }),
});

/** A step's words, and the number that may stand behind them. */
export function words(step: string): { readonly name: string; readonly number?: number } {
  const [, name = step, number] = /^(.*?)(?: (\d+))?$/.exec(step) ?? [];
  return number === undefined ? { name } : { name, number: Number(number) };
}

/** As TypeScript, to be kept among the regressions. */
export function printed({ setup, steps }: Scenario): string {
  const list = steps.map((text) => `    '${text}',\n`).join('');
  return `{\n  setup: ${JSON.stringify(setup)},\n  steps: [\n${list}  ],\n}`;
}
