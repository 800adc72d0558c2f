/** What a question that is over is held by, and holds. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { CertificateRequest } from '../../lib/certificate-request';
import { Question } from '../../lib/question';
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
