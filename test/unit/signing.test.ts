/** One signature that is waited for: one outcome, and nothing left behind. */
import { setImmediate } from 'node:timers/promises';
import type { Signer } from '../../lib/index';
import { Signing, type SigningOutcome } from '../../lib/signing';

const data = new Uint8Array(3);
const signature = new Uint8Array(64);
const scheme = 'ed25519';
const subject = 'CN=somebody';
const cause = new Error('the card was pulled');

/** Begins, and keeps what comes of it. */
function begin(sign: Signer['sign'], timeout = 0) {
  const outcomes: SigningOutcome[] = [];
  let context: Parameters<Signer['sign']>[2] | undefined;
  let within = true;
  const late: boolean[] = [];
  const signing: Signing = new Signing((outcome) => {
    outcomes.push(outcome);
    late.push(!within);
  });
  const signer: Signer = {
    sign(...args) {
      context = args[2];
      return sign.apply(this, args);
    },
  };
  signing.begin({ signer, data, scheme, subject }, timeout);
  within = false;
  return { signing, outcomes, late, context: context as NonNullable<typeof context> };
}

const errorOf = (outcome: SigningOutcome | undefined) =>
  outcome?.kind === 'failure' ? outcome.error : undefined;

describe('outcomes', () => {
  test('a signature at once is settled at once', () => {
    const { outcomes, late, context } = begin(() => signature);
    expect(outcomes).toEqual([{ kind: 'signature', signature }]);
    expect(late).toEqual([false]);
    expect(context.signal.aborted).toBe(false);
  });

  test('a promise settles later, and out of the promise', async () => {
    const { outcomes, late } = begin(async () => signature);
    expect(outcomes).toEqual([]);
    await setImmediate();
    expect(outcomes).toEqual([{ kind: 'signature', signature }]);
    expect(late).toEqual([true]);
  });

  test('a thenable that settles twice settles once', async () => {
    const { outcomes } = begin(() => ({
      // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is meant
      then: ((take: (value: Uint8Array) => void, fail: (error: unknown) => void) => {
        take(signature);
        take(new Uint8Array(1));
        fail(cause);
      }) as PromiseLike<Uint8Array>['then'],
    }));
    await setImmediate();
    expect(outcomes).toEqual([{ kind: 'signature', signature }]);
  });

  test('a failure aborts the signal before it is told', async () => {
    const seen: unknown[] = [];
    const signer: Signer = {
      sign: (_data, _scheme, { signal }) => {
        signal.addEventListener('abort', () => seen.push(signal.reason));
        return Promise.reject(cause);
      },
    };
    new Signing((outcome) => seen.push(errorOf(outcome))).begin(
      { signer, data, scheme, subject },
      0,
    );
    await setImmediate();
    expect(seen).toHaveLength(2);
    expect(seen[0]).toBe(seen[1]);
    expect(seen[0]).toMatchObject({ code: 'ERR_SIGNER_FAILED', cause });
  });

  test('the signer is called as its own method, with what there is to sign', () => {
    const signer = {
      asked: [] as unknown[],
      sign(this: unknown, ...args: unknown[]) {
        expect(this).toBe(signer);
        signer.asked.push(...args.slice(0, 2));
        return signature;
      },
    };
    new Signing(() => {}).begin({ signer, data, scheme, subject }, 0);
    expect(signer.asked).toEqual([data, scheme]);
  });

  test.each<[string, Signer['sign'], string]>([
    [
      'what was thrown',
      () => {
        throw cause;
      },
      'CN=somebody, asked for a signature (ed25519), threw an error: the card was pulled',
    ],
    [
      'what is no signature',
      () => 'secret' as never,
      'CN=somebody returned type string in place of a signature',
    ],
  ])('the sentence names %s', (_what, sign, sentence) => {
    const { outcomes } = begin(sign);
    expect(errorOf(outcomes[0])?.message).toContain(sentence);
    expect(errorOf(outcomes[0])?.message).not.toContain('secret');
  });
});

describe('time', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const never = () => new Promise<Uint8Array>(() => {});

  test('the deadline fails it, once', async () => {
    const { outcomes, context, signing } = begin(never, 100);
    jest.advanceTimersByTime(99);
    expect(outcomes).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(errorOf(outcomes[0])).toMatchObject({ code: 'ERR_CLIENT_CERT_TIMEOUT' });
    expect(context.signal.reason).toBe(errorOf(outcomes[0]));
    signing.cancel(cause);
    expect(context.signal.reason).toBe(errorOf(outcomes[0]));
    expect(outcomes).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('a signature, an error and cancel() stop the clock', async () => {
    begin(async () => signature, 100);
    begin(() => Promise.reject(cause), 100);
    const cancelled = begin(never, 100);
    expect(jest.getTimerCount()).toBe(3);
    cancelled.signing.cancel(cause);
    await setImmediate();
    expect(jest.getTimerCount()).toBe(0);
    expect(cancelled.outcomes).toEqual([]);
    expect(cancelled.context.signal.reason).toBe(cause);
  });

  test('0 is no deadline, and what is given at once needs none', () => {
    begin(never, 0);
    begin(() => signature, 100);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('cancelled from within sign(), it starts no clock', async () => {
    const signing = new Signing(() => {
      throw new Error('nobody listens any more');
    });
    for (const result of [signature, Promise.resolve(signature), Promise.reject(cause)]) {
      const signer: Signer = {
        sign: () => {
          signing.cancel(cause);
          return result;
        },
      };
      signing.begin({ signer, data, scheme, subject }, 100);
      expect(jest.getTimerCount()).toBe(0);
    }
    await setImmediate();
  });
});

test('cancelled, it takes no outcome, and the signal tells why, also to who looks late', async () => {
  let settle: (value: Uint8Array) => void = () => {};
  const { signing, outcomes, context } = begin(
    () =>
      new Promise((resolve) => {
        settle = resolve;
      }),
  );
  signing.cancel(cause);
  signing.cancel(new Error('another'));
  settle(signature);
  await setImmediate();
  expect(outcomes).toEqual([]);
  expect(context.signal.reason).toBe(cause);
});
