/** Connects with secrets, lets go of them, and looks for them in the heap. */
import { Connection, type ProtocolOptions } from '../../../lib/index';
import { heapSnapshot } from '../../support/own-memory';
import { credential } from './client';

/** Not to be found in this file, nor in anything that was loaded. */
const secrets = () => ({
  passphrase: ['open', 'sesame', String(process.pid)].join('-'),
  key: credential.key,
});
/** As it stands in a snapshot, whose strings are JSON. */
const marks = () => [secrets().passphrase, credential.key.split('\n')[1] as string];

function use(): void {
  const { key, passphrase } = secrets();
  // A file that holds both, as many do.
  const options: ProtocolOptions = { cert: credential.cert + key, key, passphrase };
  new Connection({ host: 'localhost', ...options }).destroy();
  new Connection({ host: 'localhost', credential: { ...options } as never }).destroy();
}

async function main(): Promise<void> {
  use();
  const wanted = marks().map((mark) => Buffer.from(mark).reverse());
  const held = { text: marks().map((mark) => `held ${mark}`) };
  (credential as { key: string }).key = '';
  await new Promise((resolve) => setImmediate(resolve));
  const found = (text: string) =>
    wanted.map((mark) => text.includes(Buffer.from(mark).reverse().toString()));
  const whileHeld = found(await heapSnapshot());
  held.text = [];
  await new Promise((resolve) => setImmediate(resolve));
  console.log(JSON.stringify({ whileHeld, after: found(await heapSnapshot()) }));
}

void main();
