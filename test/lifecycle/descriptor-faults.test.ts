/** A process that has connections through descriptors, and whose system calls fail. */
import { constants } from 'node:os';
import { pki } from '../integration/stream-helpers';
import { startNodeServer } from '../support/node-server';
import { overDescriptors } from '../support/over-descriptors';
import { patience } from '../support/slowness';
import { buildSystemFaults, faultVariable, type SystemFault } from '../support/system-faults';
import { runChild } from './run-child';

/** The connection is begun, the question put, the handshake done, everything received. */
type Phase = 'start' | 'asked' | 'open' | 'ending';
type Case = readonly [phase: Phase, fault: SystemFault, kind?: 'own' | 'passed'];

/** More than one record. */
const SIZE = 300_000;

const UNHARMED = {
  transport: 'socket',
  error: null,
  events: ['end', 'close'],
  callbacks: ['number number', 'written'],
  received: SIZE,
  intact: true,
  left: 0,
};

const AGAIN: Case[] = [
  ['start', { call: 'recv', error: 'EINTR', times: 50 }],
  ['start', { call: 'recv', error: 'EAGAIN', times: 50 }],
  ['start', { call: 'send', error: 'EINTR', times: 50 }],
  ['start', { call: 'send', error: 'EAGAIN', times: 50 }],
  ['start', { call: 'send', error: 'ENOBUFS', times: 50 }],
  ['asked', { call: 'send', error: 'ENOBUFS' }],
  ['open', { call: 'recv', error: 'EINTR', times: 50 }],
  ['open', { call: 'recv', error: 'EAGAIN', times: 50 }],
  ['open', { call: 'send', error: 'EINTR', times: 50 }],
  ['open', { call: 'send', error: 'EAGAIN', times: 50 }],
  ['open', { call: 'send', error: 'ENOBUFS', times: 50 }],
  ['ending', { call: 'recv', error: 'EAGAIN', times: 5 }],
  ['ending', { call: 'send', error: 'EAGAIN', times: 5 }],
];

const FOR_GOOD: Case[] = [
  ...(['start', 'asked', 'open'] as const).flatMap((phase) => [
    ...(['ECONNRESET', 'ENOMEM', 'EBADF', 'ETIMEDOUT', 'EHOSTUNREACH'] as const).map(
      (error): Case => [phase, { call: 'recv', error, times: 1000 }],
    ),
    ...(['ECONNRESET', 'EPIPE', 'ENOMEM', 'EBADF'] as const).map(
      (error): Case => [phase, { call: 'send', error, times: 1000 }],
    ),
  ]),
  ['open', { call: 'recv', error: 'ECONNRESET', nth: 3, times: 1000 }],
  ['open', { call: 'send', error: 'EPIPE', nth: 2, times: 1000 }],
];

const TAKEN_OVER: Case[] = (['own', 'passed'] as const).flatMap((kind): Case[] => [
  ['start', { call: 'dup', error: 'EMFILE' }, kind],
  ['start', { call: 'epoll_ctl', error: 'ENOSPC' }, kind],
  ['start', { call: 'epoll_ctl', error: 'ENOMEM' }, kind],
]);

const NO_MATTER: Case[] = [
  ['open', { call: 'setsockopt', error: 'ENOPROTOOPT', times: 100 }],
  ['ending', { call: 'shutdown', error: 'ENOTCONN' }],
  ['ending', { call: 'close', error: 'EIO', times: 10 }],
];

const NO_ADDRESS: Case[] = [
  ['open', { call: 'getpeername', error: 'ENOTCONN', times: 100 }],
  ['open', { call: 'getsockname', error: 'EBADF', times: 100 }],
];

const NO_HALF_CLOSE: Case = ['ending', { call: 'shutdown', error: 'ENOBUFS' }];

overDescriptors('a system call fails', () => {
  const results = new Map<Case, Record<string, unknown>>();
  beforeAll(async () => {
    const library = buildSystemFaults();
    const server = await startNodeServer({ identity: pki.server });
    const cases = [
      ...AGAIN,
      ...FOR_GOOD,
      ...TAKEN_OVER,
      ...NO_MATTER,
      ...NO_ADDRESS,
      NO_HALF_CLOSE,
    ];
    const given = cases.map(([phase, fault, kind = 'own']) => [phase, faultVariable(fault), kind]);
    const child = await runChild('system-fault-child', [server.port, SIZE, JSON.stringify(given)], {
      env: { LD_PRELOAD: library.path },
      timeout: 60_000,
    });
    await server.close();
    library.remove();
    expect({ end: child.end, errors: child.errors }).toEqual({ end: 0, errors: '' });
    for (const [index, line] of child.lines.entries()) {
      results.set(cases[index] as Case, JSON.parse(line));
    }
    expect(results.size).toBe(cases.length);
  }, patience(70_000));

  const each = (title: string, cases: Case[], expected: (fault: SystemFault) => object) => {
    test.each(cases.map((one) => [one[0], one[1], one] as const))(
      `${title}: %s, %j`,
      (_phase, fault, one) => {
        expect(results.get(one)).toMatchObject(expected(fault));
      },
    );
  };

  each('and is made again', AGAIN, () => UNHARMED);

  each('and the connection with it', FOR_GOOD, ({ call, error }) => ({
    transport: 'socket',
    error: {
      code: error,
      syscall: call === 'recv' ? 'read' : 'write',
      errno: -constants.errno[error],
    },
    events: ['error', 'close'],
    intact: true,
    left: 0,
  }));

  each('and the stream is taken', TAKEN_OVER, () => ({ ...UNHARMED, transport: 'stream' }));

  each('and does not matter', NO_MATTER, () => UNHARMED);

  each('and an address is missing', NO_ADDRESS, ({ call }) => ({
    ...UNHARMED,
    callbacks: [call === 'getpeername' ? 'undefined number' : 'number undefined', 'written'],
  }));

  test('and what was written is not called so', () => {
    const told = FOR_GOOD.filter(([phase, { call }]) => phase === 'open' && call === 'send');
    expect(told).toHaveLength(5);
    for (const one of told) {
      const { callbacks } = results.get(one) as { callbacks: string[] };
      expect(callbacks.slice(1)).toEqual([expect.stringMatching(/^failed E/)]);
    }
  });

  test('at a half-close: an error behind all the data', () => {
    expect(results.get(NO_HALF_CLOSE)).toMatchObject({
      transport: 'socket',
      error: { code: 'ENOBUFS', syscall: 'shutdown', errno: -constants.errno.ENOBUFS },
      received: SIZE,
      intact: true,
      left: 0,
    });
  });
});
