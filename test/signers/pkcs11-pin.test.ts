/** PINs: who is asked, when, how often, and what reaches the token. */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import {
  openPkcs11,
  type PinCallback,
  type PinRequest,
  Pkcs11Module,
} from '../../lib/signers/pkcs11/index';
import { deferred, within } from '../support/client';
import { loadPki } from '../support/pki';
import {
  everydayAndCareful,
  PIN,
  PKCS11_SPY,
  REGISTER,
  SOFTHSM,
  type SoftHsm,
  useTypeScriptWorkers,
  WRONG_PIN,
} from '../support/softhsm';

useTypeScriptWorkers();

const { clients } = loadPki();
let softHsm: SoftHsm;
let cards: Pkcs11Module;

beforeEach(async () => {
  softHsm = await everydayAndCareful();
}, 60_000);
afterEach(async () => {
  await cards?.close();
  await softHsm.remove();
});

/** How often a PIN reached the token so far, by the spy's own record. */
function loginsSeen(): number {
  if (!existsSync(softHsm.spyLog)) return 0;
  return readFileSync(softHsm.spyLog, 'utf8').match(/: C_Login$/gm)?.length ?? 0;
}

/** Loads the module behind the spy, with a callback that notes what it was asked. */
async function load(answer: PinCallback) {
  const requests: PinRequest[] = [];
  cards = await Pkcs11Module.load(PKCS11_SPY, {
    pin: (request) => {
      requests.push(request);
      return answer(request);
    },
  });
  return requests;
}

async function sign(object: string, signal = new AbortController().signal) {
  const { key } = await cards.identity(`pkcs11:object=${object}`);
  const [scheme = 'ed25519'] = key.schemes;
  return key.sign(Buffer.from('data'), scheme, { signal });
}

const rejected = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('it was signed');
    },
    (error: unknown) => error as Error & { code: string; reason: string },
  );

test('one prompt for many signatures, and none while the login lasts', async () => {
  const requests = await load(() => sleep(50, PIN));
  await Promise.all(Array.from({ length: 5 }, () => sign('everyday')));
  await sign('everyday');
  expect(requests).toEqual([
    {
      token: expect.objectContaining({ label: 'card', pin: 'many' }),
      triesLeft: 'many',
      purpose: 'login',
      label: 'everyday',
      signal: expect.any(AbortSignal),
    },
  ]);
  expect(requests[0]?.signal.aborted).toBe(false);
  expect(loginsSeen()).toBe(1);
});

test('a crowd that waits for one PIN, or for one each, is not taken for a leak', async () => {
  const child = join(__dirname, 'pkcs11-child.ts');
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--require', REGISTER, child, SOFTHSM, 'crowd', PIN],
    { env: { ...process.env, ...softHsm.env }, timeout: 15_000 },
  );
  expect(stdout).toBe('signed 20 times\nsigned 20 times\nidle\n');
  // Node warns there, and not where jest would let a test hear it.
  expect(stderr).toBe('');
});

test('a wrong PIN reaches the token once, whoever waits, and is never sent again', async () => {
  const requests = await load(() => sleep(20, WRONG_PIN));
  const errors = await Promise.all([1, 2, 3].map(() => rejected(sign('everyday'))));
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'incorrect' });
    expect(inspect(error, { depth: 10 })).not.toContain(WRONG_PIN);
  }
  expect(requests).toHaveLength(1);
  expect(loginsSeen()).toBe(1);

  const again = await rejected(sign('everyday'));
  expect(again).toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'incorrect' });
  expect(inspect(again, { depth: 10 })).not.toContain(WRONG_PIN);
  expect(requests[1]?.triesLeft).toBe('few');
  expect((await cards.tokens())[0]?.pin).toBe('few');
  expect(loginsSeen()).toBe(1);
});

test('a wrong PIN is not sent again through another module, or the same under another name', async () => {
  cards = await Pkcs11Module.load(SOFTHSM, { pin: () => WRONG_PIN });
  await rejected(sign('everyday'));
  await cards.close();
  await load(() => WRONG_PIN);
  expect(await rejected(sign('everyday'))).toMatchObject({
    code: 'ERR_PKCS11_PIN',
    reason: 'incorrect',
  });
  expect(loginsSeen()).toBe(0);
});

test('the right PIN after a wrong one', async () => {
  const answers = [WRONG_PIN, PIN];
  await load(() => answers.shift());
  await rejected(sign('everyday'));
  await sign('everyday');
  expect((await cards.tokens())[0]?.pin).toBe('many');
  expect(loginsSeen()).toBe(2);
});

test.each([
  ['here', Uint8Array],
  ['in another realm', runInNewContext('Uint8Array') as typeof Uint8Array],
])('bytes made %s are wiped, and do as well as text', async (_where, Bytes) => {
  const bytes = Bytes.from(Buffer.from(PIN));
  await load(() => bytes);
  await sign('everyday');
  expect([...bytes]).toEqual([...Buffer.alloc(PIN.length)]);
});

test.each([
  ['null', () => null, 'cancelled'],
  ['undefined', () => undefined, 'cancelled'],
  ['empty text', () => '', 'cancelled'],
  ['no bytes', () => new Uint8Array(), 'cancelled'],
  ['a rejection', () => Promise.reject(new Error('the dialog broke')), 'callback-failed'],
] as [string, PinCallback, string][])('no PIN: %s', async (_what, answer, reason) => {
  await load(answer);
  const error = await rejected(sign('everyday'));
  expect(error).toMatchObject({ code: 'ERR_PKCS11_PIN', reason });
  expect(loginsSeen()).toBe(0);
});

test('an answer of a wrong type is not shown', async () => {
  await load((() => Number(PIN)) as unknown as PinCallback);
  const error = await rejected(sign('everyday'));
  expect(error).toMatchObject({
    code: 'ERR_INVALID_ARG_TYPE',
    message:
      'The callback "pin" must answer with the PIN as a string or a Uint8Array, or with null for ' +
      'none. Received type number',
  });
  expect(inspect(error)).not.toContain(PIN);
  expect(loginsSeen()).toBe(0);
});

test('without a callback', async () => {
  cards = await Pkcs11Module.load(PKCS11_SPY);
  expect(await rejected(sign('everyday'))).toMatchObject({
    code: 'ERR_PKCS11_PIN',
    message: expect.stringMatching(/^The token "card" \(serial \w+\) wants a PIN\. /),
    reason: 'missing',
  });
});

test('the signal aborts when the last who waits is gone; the next gets a prompt of its own', async () => {
  const first = deferred<string>();
  const answers: (string | Promise<string>)[] = [first.promise, PIN];
  const requests = await load(() => answers.shift());
  const [one, two] = [new AbortController(), new AbortController()];
  const waiting = [one, two].map(({ signal }) => rejected(sign('everyday', signal)));
  while (requests.length === 0) await sleep(5);
  await sleep(50);

  one.abort(new Error('one is over'));
  expect((await waiting[0])?.message).toBe('one is over');
  expect(requests[0]?.signal.aborted).toBe(false);

  two.abort(new Error('two is over'));
  expect((await waiting[1])?.message).toBe('two is over');
  expect(requests[0]?.signal.reason).toMatchObject({ message: 'two is over' });

  await sign('everyday');
  expect(requests).toHaveLength(2);
  // Too late: nobody wants it, and it goes nowhere.
  first.resolve(WRONG_PIN);
  await sleep(20);
  expect(loginsSeen()).toBe(1);
});

test.each([
  ['everyday', 'login', 1],
  ['careful', 'signature', 2],
])(
  'a PIN that is refused when nobody waits any more is remembered: %s',
  async (object, purpose, logins) => {
    const gone = new AbortController();
    await load((request) => {
      if (request.purpose !== purpose) return PIN;
      // The token is at it by then.
      setImmediate(() => gone.abort(new Error('the connection is gone')));
      return WRONG_PIN;
    });
    expect((await rejected(sign(object, gone.signal))).message).toBe('the connection is gone');
    for (let i = 0; i < 3; i += 1) {
      expect(await rejected(sign(object))).toMatchObject({ reason: 'incorrect' });
    }
    expect(loginsSeen()).toBe(logins);
  },
);

test('a dialog that pays no heed to its signal keeps nobody else from signing', async () => {
  const late = deferred<Uint8Array>();
  const answers = [PIN, late.promise, PIN];
  const requests = await load(() => answers.shift());
  const one = new AbortController();
  const waiting = rejected(sign('careful', one.signal));
  const next = sign('careful');
  while (requests.length < 2) await sleep(5);
  one.abort(new Error('one is over'));
  expect((await within('rejection', waiting)).message).toBe('one is over');
  expect(requests[1]?.signal.reason).toMatchObject({ message: 'one is over' });
  await within('signature', next);
  expect(requests).toHaveLength(3);

  const bytes = Buffer.from(WRONG_PIN);
  late.resolve(bytes);
  await cards.tokens();
  expect(bytes).toEqual(Buffer.alloc(WRONG_PIN.length));
  expect(loginsSeen()).toBe(2);
});

test('closing the module ends the prompt for one signature, and the line behind it', async () => {
  const requests = await load(({ purpose }) => (purpose === 'login' ? PIN : new Promise(() => {})));
  const waiting = [1, 2].map(() => rejected(sign('careful')));
  while (requests.length < 2) await sleep(5);
  await within('close', cards.close());
  for (const error of await within('rejections', Promise.all(waiting))) {
    expect(error).toMatchObject({ code: 'ERR_PKCS11_MODULE', reason: 'closed' });
  }
  expect(requests[1]?.signal.aborted).toBe(true);
});

test('closing the module ends the prompt, and with it the signature', async () => {
  const requests = await load(() => new Promise(() => {}));
  const waiting = rejected(sign('everyday'));
  while (requests.length === 0) await sleep(5);
  await cards.close();
  expect(await waiting).toMatchObject({ code: 'ERR_PKCS11_MODULE', reason: 'closed' });
  expect(requests[0]?.signal.aborted).toBe(true);
});

test('a key that wants it is asked for at each signature, one after another', async () => {
  let open = 0;
  const requests = await load(async () => {
    open += 1;
    expect(open).toBe(1);
    await sleep(20);
    open -= 1;
    return PIN;
  });
  await Promise.all([sign('careful'), sign('careful'), sign('careful')]);
  expect(requests.map(({ purpose }) => purpose)).toEqual([
    'login',
    'signature',
    'signature',
    'signature',
  ]);
  expect(loginsSeen()).toBe(4);
  const log = readFileSync(softHsm.spyLog, 'utf8');
  const calls = [...log.matchAll(/^\d+: (C_SignInit|C_Login|C_Sign)$/gm)].map(([, name]) => name);
  expect(calls.slice(-3)).toEqual(['C_SignInit', 'C_Login', 'C_Sign']);
});

test('a wrong PIN for one signature does no harm to the next, and is not sent again', async () => {
  const answers = [PIN, WRONG_PIN, WRONG_PIN, PIN];
  const requests = await load(() => answers.shift());
  expect(await rejected(sign('careful'))).toMatchObject({ reason: 'incorrect' });
  expect(loginsSeen()).toBe(2);
  expect(await rejected(sign('careful'))).toMatchObject({ reason: 'incorrect' });
  expect(loginsSeen()).toBe(2);
  await sign('careful');
  expect(loginsSeen()).toBe(3);
  expect(requests.map(({ purpose }) => purpose)).toEqual([
    'login',
    'signature',
    'signature',
    'signature',
  ]);
});

describe('out of the URI', () => {
  const uri = (query: string) =>
    `pkcs11:token=card;object=everyday?module-path=${PKCS11_SPY}&${query}`;
  const data = Buffer.from('data');
  const context = { signal: new AbortController().signal };
  const open = async (text: string) => {
    const opened = await openPkcs11(text);
    cards = opened.module;
    return opened.identity;
  };

  test('pin-value', async () => {
    const { key } = await open(uri(`pin-value=${PIN}`));
    await key.sign(data, 'ecdsa_secp256r1_sha256', context);
    expect(loginsSeen()).toBe(1);
  });

  test('a wrong pin-value is sent once', async () => {
    const { key } = await open(uri(`pin-value=${WRONG_PIN}`));
    for (let i = 0; i < 3; i += 1) {
      const error = await rejected(
        Promise.resolve(key.sign(data, 'ecdsa_secp256r1_sha256', context)),
      );
      expect(error).toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'incorrect' });
      expect(inspect(error, { depth: 10 })).not.toContain(WRONG_PIN);
    }
    expect(loginsSeen()).toBe(1);
  });

  test('nor is it when the module is opened anew', async () => {
    for (let i = 0; i < 3; i += 1) {
      const { key } = await open(uri(`pin-value=${WRONG_PIN}`));
      const signature = Promise.resolve(key.sign(data, 'ecdsa_secp256r1_sha256', context));
      expect(await rejected(signature)).toMatchObject({ reason: 'incorrect' });
      await cards.close();
    }
    expect(loginsSeen()).toBe(1);
  });

  test('is for the token that the URI means, and for no other', async () => {
    await softHsm.init('other');
    await softHsm.place('other', { label: 'far', id: '01', identity: clients.ec384 });
    await open(uri(`pin-value=${PIN}`));
    expect(await rejected(sign('far'))).toMatchObject({ reason: 'cancelled' });
    expect(loginsSeen()).toBe(0);
  });

  test.each(['', 'file:', 'file://'])('pin-source, as %spath', async (scheme) => {
    const path = join(softHsm.spyLog, '../pin.txt');
    writeFileSync(path, `${PIN}\n`);
    const { key } = await open(uri(`pin-source=${scheme}${path}`));
    await key.sign(data, 'ecdsa_secp256r1_sha256', context);
  });

  test('a pin-source that is not there, and one that is none', async () => {
    const { key } = await open(uri('pin-source=/nowhere/pin'));
    const error = await rejected(
      Promise.resolve(key.sign(data, 'ecdsa_secp256r1_sha256', context)),
    );
    expect(error).toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'source-unreadable' });
    await expect(openPkcs11(uri('pin-source=|cat'))).rejects.toMatchObject({
      code: 'ERR_PKCS11_URI',
      input: 'pin-source',
    });
  });
});
