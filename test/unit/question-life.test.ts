/** What a question or a signature that is over is held by. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { CertificateRequest } from '../../lib/certificate-request';
import { Question } from '../../lib/question';
import { Signing } from '../../lib/signing';
import type { ClientCertAnswer } from '../../lib/types';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

type Answer = PromiseLike<ClientCertAnswer>;

/** Puts a question, ends it in one way or another, and tells what of it may be collected. */
function ended(answer: Answer, end: (question: Question) => void): WeakRef<object>[] {
  const owner = { settled: () => {}, suspended: () => {} };
  const request = {} as CertificateRequest;
  const question = new Question(owner, 60_000);
  question.put(request, () => answer);
  end(question);
  return [owner, request, question].map((object) => new WeakRef(object));
}

async function alive(refs: readonly WeakRef<object>[]): Promise<number> {
  for (let count = 0; count < 5; count += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

test('a promise that never settles keeps nothing of the connection that is gone', async () => {
  const kept = new Promise<ClientCertAnswer>(() => {});
  expect(await alive(ended(kept, (question) => question.cancel(new Error('gone'))))).toBe(0);
  expect(kept).toBeDefined();
});

test("neither does a signer's", async () => {
  const kept = new Promise<Uint8Array>(() => {});
  const signer = { sign: () => kept };
  const ended = () => {
    const connection = { outcomes: 0 };
    const signing = new Signing(() => {
      connection.outcomes += 1;
    });
    const task = { signer, data: Buffer.of(), scheme: 'ed25519', subject: 'CN=x' } as const;
    signing.begin(task, 60_000);
    signing.cancel(new Error('gone'));
    return [new WeakRef(connection)];
  };
  expect(await alive(ended())).toBe(0);
  expect(kept).toBeDefined();
});
