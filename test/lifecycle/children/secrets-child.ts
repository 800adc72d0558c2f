/** Connects with secrets, lets go of them, and looks for them in the heap. */
import { getHeapSnapshot } from 'node:v8';
import { Connection, type ProtocolOptions } from '../../../lib/index';
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

async function heap(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(Buffer.from(chunk as string));
  return Buffer.concat(chunks).toString('latin1');
}

async function main(): Promise<void> {
  use();
  const wanted = marks().map((mark) => Buffer.from(mark).reverse());
  const held = { text: marks().map((mark) => `held ${mark}`) };
  (credential as { key: string }).key = '';
  await new Promise((resolve) => setImmediate(resolve));
  const found = (text: string) =>
    wanted.map((mark) => text.includes(Buffer.from(mark).reverse().toString()));
  const whileHeld = found(await heap());
  held.text = [];
  await new Promise((resolve) => setImmediate(resolve));
  console.log(JSON.stringify({ whileHeld, after: found(await heap()) }));
}

void main();
