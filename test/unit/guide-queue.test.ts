/** The queue for signatures that the guide "Writing a signer" gives its readers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import type { Signer } from '../../lib/index';
import { within } from '../support/client';
import { codeBlocks } from '../support/doc-examples';

const GUIDE = join(__dirname, '../../docs/guides/writing-a-signer.md');

function oneAtATime(signer: Signer): Signer {
  const code = codeBlocks('guide', readFileSync(GUIDE, 'utf8'))
    .map((block) => block.code)
    .find((text) => text.includes('function oneAtATime'));
  const { code: script } = transformSync(code ?? '', {
    configFile: false,
    module: { type: 'commonjs' },
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  });
  const exported: { oneAtATime?: typeof oneAtATime } = {};
  new Function('exports', script)(exported);
  if (exported.oneAtATime === undefined) throw new Error('the guide has no such function');
  return exported.oneAtATime(signer);
}

const data = Buffer.from('data');
const sign = async (signer: Signer, signal = new AbortController().signal) =>
  signer.sign(data, 'ed25519', { signal });

test('one signature after another, whatever became of the one before', async () => {
  const begun: ((signature: Uint8Array | Error) => void)[] = [];
  const signer = oneAtATime({
    sign: () =>
      new Promise((resolve, reject) => {
        begun.push((end) => (end instanceof Error ? reject(end) : resolve(end)));
      }),
  });
  const [one, two] = [sign(signer), sign(signer)];
  await new Promise(setImmediate);
  expect(begun).toHaveLength(1);
  begun[0]?.(new Error('broken'));
  await expect(one).rejects.toThrow('broken');
  await new Promise(setImmediate);
  begun[1]?.(data);
  expect(await two).toBe(data);
});

test('a dialog that pays no heed to its signal holds up nobody', async () => {
  const answers = [new Promise<Uint8Array>(() => {}), data];
  const signer = oneAtATime({ sign: () => answers.shift() ?? data });
  const gone = new AbortController();
  const [one, two] = [sign(signer, gone.signal), sign(signer)];
  await new Promise(setImmediate);
  gone.abort(new Error('gone'));
  await within('rejection', expect(one).rejects.toThrow('gone'));
  expect(await within('signature', two)).toBe(data);
});

test('one that is given up in the line is not begun', async () => {
  const begin = jest.fn(() => data);
  const signer = oneAtATime({ sign: begin });
  await expect(sign(signer, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  expect(begin).not.toHaveBeenCalled();
});
