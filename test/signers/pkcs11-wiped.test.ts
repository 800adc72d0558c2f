/** PINs are wiped in both threads, whether they were presented to the token or not. */
import { join } from 'node:path';
import { type PinAnswer, Pkcs11Module } from '../../lib/signers/pkcs11/index';
import { deferred } from '../support/client';
import {
  everydayAndCareful,
  PIN,
  REGISTER,
  SOFTHSM,
  type SoftHsm,
  started,
  useTypeScriptWorkers,
  WRONG_PIN,
} from '../support/softhsm';
import { Waiting } from '../support/waiting';
import { left } from './children/left';
import type { SeenPin } from './children/watched-worker';

import workerThreads = require('node:worker_threads');

const WATCHED = join(__dirname, 'children/watched-worker.ts');
const { Worker, MessageChannel } = workerThreads;

useTypeScriptWorkers();

let softHsm: SoftHsm;
beforeAll(async () => {
  softHsm = await everydayAndCareful();
  jest.mocked(workerThreads.Worker).mockImplementation(() => {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (pin: SeenPin) => {
      there.push(pin);
      waiting.changed();
    });
    port1.unref();
    const worker = new Worker(WATCHED, {
      execArgv: ['--require', REGISTER],
      workerData: { pins: port2 },
      transferList: [port2],
    });
    started.push(worker);
    return worker;
  });
}, 60_000);
afterAll(() => softHsm.remove());

/** What the thread saw of PINs. */
let there: SeenPin[];
const waiting = new Waiting((why) => new Error(`${why}; the thread saw ${there.length} PINs`));
/** What was made here with a PIN in it. */
let here: Uint8Array[];

const { from } = Buffer;
const Bytes = Uint8Array;
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
function note<Made extends Uint8Array>(made: Made): Made {
  if (made.length === PIN.length && [PIN, WRONG_PIN].includes(text(made))) here.push(made);
  return made;
}

let cards: Pkcs11Module;
beforeEach(() => {
  there = [];
  here = [];
  jest
    .spyOn(Buffer, 'from')
    .mockImplementation(((...args: Parameters<typeof from>) => note(from(...args))) as typeof from);
  globalThis.Uint8Array = new Proxy(Bytes, {
    construct: (made, args, target) => note(Reflect.construct(made, args, target)),
  });
});
afterEach(async () => {
  globalThis.Uint8Array = Bytes;
  jest.mocked(Buffer.from).mockRestore();
  await cards.close();
});

async function load(pin: () => PinAnswer | Promise<PinAnswer>): Promise<void> {
  cards = await Pkcs11Module.load(SOFTHSM, { pin });
}

async function sign(object: string, signal = new AbortController().signal) {
  const { key } = await cards.identity(`pkcs11:object=${object}`);
  const [scheme = 'ed25519'] = key.schemes;
  return key.sign(from('data'), scheme, { signal });
}

/** What became of the copies made here, sorted. */
const leftHere = () => here.map((copy) => (copy.length === 0 ? 'moved' : left(copy))).sort();

test.each([
  ['text', () => PIN],
  ['bytes', () => note(from(PIN))],
])('no copy is left of %s that was presented', async (_what, pin) => {
  await load(pin);
  await sign('everyday');
  await waiting.until('login', () => there[0]);
  expect(there).toEqual([{ came: PIN, left: 'wiped' }]);
  expect(leftHere()).toEqual(['moved', 'wiped']);
});

test('no copy is left of each that was presented for one signature', async () => {
  await load(() => PIN);
  await sign('careful');
  await waiting.until('login and signature', () => there[1]);
  expect(there).toEqual([
    { came: PIN, left: 'wiped' },
    { came: PIN, left: 'wiped' },
  ]);
  expect(leftHere()).toEqual(['moved', 'moved', 'wiped', 'wiped']);
});

test('no copy is left of one that was refused, and of the same again, which is not presented', async () => {
  await load(() => WRONG_PIN);
  const refused = { code: 'ERR_PKCS11_PIN', reason: 'incorrect' };
  for (let i = 0; i < 2; i += 1) await expect(sign('everyday')).rejects.toMatchObject(refused);
  await waiting.until('login', () => there[0]);
  expect(there).toEqual([{ came: WRONG_PIN, left: 'wiped' }]);
  expect(leftHere()).toEqual(['moved', 'wiped', 'wiped', 'wiped']);
});

test('no copy is left of one that came too late', async () => {
  const late = deferred<string>();
  const asked = deferred();
  await load(() => {
    asked.resolve();
    return late.promise;
  });
  const gone = new AbortController();
  const signature = sign('everyday', gone.signal);
  await asked.promise;
  gone.abort(new Error('nobody waits'));
  await expect(signature).rejects.toThrow('nobody waits');
  late.resolve(PIN);
  await new Promise(setImmediate);
  expect(leftHere()).toEqual(['wiped', 'wiped']);
  expect(there).toEqual([]);
});
