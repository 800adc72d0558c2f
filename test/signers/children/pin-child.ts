/** Has PINs presented to a token, right and wrong ones, in each way, and looks for them in the heaps of both threads. */

import { openPkcs11, type Pkcs11Identity, Pkcs11Module } from '../../../lib/signers/pkcs11/index';
import { heapSnapshot, Mark } from '../../support/own-memory';

import workerThreads = require('node:worker_threads');

const [path = '', masked = ''] = process.argv.slice(2);
const pin = () => Buffer.from(masked, 'hex').map((byte) => byte ^ 0xff);
const wrong = () => `not ${pin()}`;

const workers: workerThreads.Worker[] = [];
const { Worker } = workerThreads;
Object.assign(workerThreads, {
  Worker: class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      workers.push(this);
    }
  },
});

async function sign({ key }: Pkcs11Identity): Promise<void> {
  const [scheme = 'ed25519'] = key.schemes;
  await key.sign(Buffer.from('data'), scheme, { signal: new AbortController().signal });
}

async function byUri(): Promise<void> {
  const uri = `pkcs11:object=everyday?pin-value=${pin()}`;
  const { module, identity } = await openPkcs11(uri, { module: path });
  await sign(identity);
  await module.close();
}

/** Beside the snapshot's own stack, which would hold on to the texts. */
const marksOf = (control: Buffer) =>
  [control, pin(), Buffer.from(wrong())].map((bytes) => new Mark(bytes));

async function main(): Promise<void> {
  await byUri();
  const answers = [wrong, pin, () => String(pin())];
  const cards = await Pkcs11Module.load(path, { pin: () => answers.shift()?.() });
  const everyday = await cards.identity('pkcs11:object=everyday');
  const refused = await sign(everyday).catch((error: { reason: string }) => error);
  await sign(everyday);
  await sign(await cards.identity('pkcs11:object=careful'));

  const control = Buffer.from(`a control, ${process.pid}`);
  const held = { text: String(control), cards, everyday, refused };
  const marks = marksOf(control);
  const here = await heapSnapshot();
  const worker = workers.at(-1);
  // Idle, it would not be waited for.
  worker?.ref();
  const there = await heapSnapshot(await worker?.getHeapSnapshot());
  console.log(
    JSON.stringify({
      refused: refused?.reason,
      asked: 3 - answers.length,
      here: marks.map((mark) => mark.inSnapshot(here)),
      there: [there.includes('C_Login'), ...marks.slice(1).map((mark) => mark.inSnapshot(there))],
    }),
  );
  await held.cards.close();
}

void main();
