/** The first credential that suits is the answer; the request is made by hand. */
import { Credential } from '../../lib/index';
import { type CredentialSource, type FirstMatchOptions, firstMatch } from '../../lib/select';
import { credentialOf, deferred } from '../support/client';
import { type Identity, loadPki } from '../support/pki';
import { type Asked, requestByHand } from '../support/request-by-hand';

const pki = loadPki();
const { ec256, rsa } = pki.clients;
const { clientB } = pki;

const A = issuerOf(pki.clients.ec256);
const B = issuerOf(pki.clientB);

/** The issuer's name, in DER. */
function issuerOf(issued: Identity): Buffer {
  const [name] = Credential.nativeOf(new Credential(credentialOf(issued))).issuers();
  return name as Buffer;
}

const { signal } = new AbortController();
const context = { signal };
const credential = (identity: Identity) => new Credential(credentialOf(identity));
const alice = credential(ec256);
const bob = credential(clientB);

const choose = (sources: readonly CredentialSource[], asked?: Asked, options?: FirstMatchOptions) =>
  firstMatch(sources, options)(requestByHand(asked), context);

test('takes the first in the order given', async () => {
  expect(await choose([alice, bob])).toBe(alice);
  expect(await choose([bob, alice])).toBe(bob);
  expect(await choose([alice, bob], { authorities: [B] })).toBe(bob);
  expect(await choose([alice, bob], { authorities: [B, A] })).toBe(alice);
});

test('makes credentials once, and at once', async () => {
  const callback = firstMatch([credentialOf(ec256)]);
  const taken = await callback(requestByHand(), context);
  expect(taken).toBeInstanceOf(Credential);
  expect(await callback(requestByHand(), context)).toBe(taken);
  expect(() => firstMatch([{ cert: ec256.cert, key: pki.otherEcClient.key }])).toThrow(
    expect.objectContaining({ code: 'ERR_CREDENTIAL_MISMATCH' }),
  );
});

test.each<[string, CredentialSource]>([
  ['a credential', () => bob],
  ['options', () => credentialOf(clientB)],
  ['a promise', async () => bob],
  ['an array', () => [alice, bob]],
  ['an array of options', async () => [credentialOf(ec256), credentialOf(clientB)]],
  ['a Set', () => new Set([alice, bob])],
  ['a generator', () => [alice, bob].values()],
  [
    'an async generator',
    async function* () {
      yield alice;
      yield bob;
    },
  ],
])('looks into what a function finds: %s', async (_what, source) => {
  const taken = await choose([source], { authorities: [B] });
  expect((taken as Credential).subject).toBe(clientB.subject);
});

test.each([
  ['null', null],
  ['undefined', undefined],
  ['an empty array', []],
])('goes on where a function finds %s', async (_what, nothing) => {
  expect(await choose([() => nothing, async () => nothing, bob])).toBe(bob);
});

test('asks functions in turn, with request and signal, and none behind the match', async () => {
  const calls: string[] = [];
  const asked = requestByHand({ authorities: [B] });
  const find =
    (name: string, found: Credential): CredentialSource =>
    (given, { signal: heard }) => {
      expect(given).toBe(asked);
      expect(heard).toBe(signal);
      calls.push(name);
      return found;
    };
  const sources = [find('first', alice), find('second', bob), find('third', bob)];
  const callback = firstMatch(sources);
  expect(await callback(asked, context)).toBe(bob);
  expect(calls).toEqual(['first', 'second']);
  await callback(asked, context);
  expect(calls).toEqual(['first', 'second', 'first', 'second']);
});

test('reads an iterable only as far as the match, and closes it', async () => {
  const events: string[] = [];
  async function* cards() {
    try {
      for (const card of [alice, bob, alice]) {
        events.push(card.subject);
        yield card;
      }
    } finally {
      events.push('closed');
    }
  }
  expect(await choose([cards], { authorities: [B] })).toBe(bob);
  expect(events).toEqual([ec256.subject, clientB.subject, 'closed']);
});

test('looks no further when nobody waits any more', async () => {
  const controller = new AbortController();
  const reason = new Error('the socket is gone');
  const gate = deferred();
  const second = jest.fn(() => bob);
  const closed = jest.fn();
  async function* cards() {
    try {
      await gate.promise;
      yield alice;
      yield bob;
    } finally {
      closed();
    }
  }
  const callback = firstMatch([cards, second]);
  const answer = Promise.resolve(
    callback(requestByHand({ authorities: [B] }), { signal: controller.signal }),
  );
  const ended = expect(answer).rejects.toBe(reason);
  controller.abort(reason);
  gate.resolve();
  await ended;
  expect(closed).toHaveBeenCalledTimes(1);
  expect(second).not.toHaveBeenCalled();
  // Nor does it begin to.
  const late = firstMatch([second])(requestByHand(), { signal: AbortSignal.abort(reason) });
  await expect(late).rejects.toBe(reason);
  expect(second).not.toHaveBeenCalled();
});

test.each([
  ['throws', () => Promise.reject(new Error('no reader'))],
  [
    'rejects',
    () => {
      throw new Error('no reader');
    },
  ],
  [
    'throws in the middle',
    function* () {
      yield credential(ec256);
      throw new Error('no reader');
    },
  ],
])('a function that %s ends the search', async (_how, source) => {
  const answer = choose([source as CredentialSource, bob], { authorities: [B] });
  await expect(answer).rejects.toThrow('no reader');
});

test.each([
  ['a number', 1],
  ['text', 'CN=alice'],
  ['a list of text', ['CN=alice']],
  ['a key', { key: 'secret' }],
])('a function that finds %s is told so', async (_what, found) => {
  const error = await Promise.resolve(choose([bob, () => found as never], { authorities: [A] }))
    .then(() => undefined)
    .catch((thrown: Error) => thrown);
  expect(error).toMatchObject({
    code: 'ERR_INVALID_ARG_TYPE',
    message: expect.stringContaining('"sources[1]()" argument must be a Credential'),
  });
  expect(error?.message).not.toMatch(/alice|secret/);
});

describe('when nothing suits', () => {
  test.each([[undefined], ['decline'] as const])('onNoMatch: %s declines', async (onNoMatch) => {
    expect(await choose([alice], { authorities: [B] }, { onNoMatch })).toBeNull();
    expect(await choose([], {}, { onNoMatch })).toBeNull();
  });

  test("onNoMatch: 'fail' says what there was, and what was against each", async () => {
    const failing = (sources: readonly CredentialSource[]) =>
      choose(sources, { authorities: [B] }, { onNoMatch: 'fail' });
    await expect(failing([alice, credential(rsa)])).rejects.toMatchObject({
      name: 'TLSClientCertError',
      code: 'ERR_CLIENT_CERT_NO_MATCH',
      message:
        'No client certificate suits what the server asks for. ' +
        `${ec256.subject}: It was issued by ${pki.clientCaA.subject}; the server accepts ${pki.clientCaB.subject}. ` +
        `${rsa.subject}: It was issued by ${pki.clientCaA.subject}; the server accepts ${pki.clientCaB.subject}.`,
    });
    await expect(failing(Array.from({ length: 8 }, () => alice))).rejects.toThrow(
      /And 3 more; explain\(\) tells of all\.$/,
    );
    await expect(failing([])).rejects.toThrow('the sources hold none');
  });

  test('a function is told the same, and answers', async () => {
    const heard: unknown[] = [];
    const taken = await choose(
      [alice],
      { authorities: [B] },
      {
        onNoMatch: async (asked, explanations, { signal: given }) => {
          heard.push(asked.protocol, given);
          heard.push(explanations.map(({ reasons }) => reasons.map(({ code }) => code)));
          return bob;
        },
      },
    );
    expect(taken).toBe(bob);
    expect(heard).toEqual(['TLSv1.2', signal, [['wrong-authority']]]);
  });
});

test.each<[string, () => unknown, string, RegExp]>([
  ['no sources', () => firstMatch(undefined as never), 'ERR_INVALID_ARG_TYPE', /"sources"/],
  [
    'one source',
    () => firstMatch(credential(ec256) as never),
    'ERR_INVALID_ARG_TYPE',
    /"sources" argument must be an Array/,
  ],
  [
    'a source of another kind',
    () => firstMatch([alice, 'alice' as never]),
    'ERR_INVALID_ARG_TYPE',
    /"sources\[1\]"/,
  ],
  ['options of null', () => firstMatch([], null as never), 'ERR_INVALID_ARG_TYPE', /"options"/],
  ['a time', () => firstMatch([], { now: 0 as never }), 'ERR_INVALID_ARG_TYPE', /"options.now"/],
  [
    'another word',
    () => firstMatch([], { onNoMatch: 'throw' as never }),
    'ERR_INVALID_ARG_VALUE',
    /'options.onNoMatch' must be 'decline', 'fail' or a function/,
  ],
])('refuses %s', (_what, call, code, message) => {
  expect(call).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
});

test('refuses a clock that stands still', async () => {
  await expect(choose([alice], {}, { now: () => new Date(Number.NaN) })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
  });
});
