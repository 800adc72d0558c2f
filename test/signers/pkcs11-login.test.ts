/**
 * What SoftHSM cannot show: PIN pads, PINs about to lock and locked. The thread is played here, with the
 * flags and return values that PKCS#11 has for them.
 */
import { X509Certificate } from 'node:crypto';
import { CKF, CKR } from '../../lib/signers/pkcs11/constants';
import { OperationFailed } from '../../lib/signers/pkcs11/failures';
import type { PinCallback } from '../../lib/signers/pkcs11/index';
import { Logins } from '../../lib/signers/pkcs11/logins';
import type { OperationName, Pin, SignReply, TokenRecord } from '../../lib/signers/pkcs11/protocol';
import { RefusedPins } from '../../lib/signers/pkcs11/refused-pins';
import type { Operator } from '../../lib/signers/pkcs11/thread';
import { TokenKey } from '../../lib/signers/pkcs11/token-key';
import { within } from '../support/client';
import { loadPki } from '../support/pki';
import { PIN, WRONG_PIN } from '../support/softhsm';

const READY = CKF.tokenInitialized | CKF.userPinInitialized | CKF.loginRequired;
const { publicKey } = new X509Certificate(loadPki().clients.ed25519.cert);

/** A token whose C_Login returns one value after another, and that signs once one was CKR_OK. */
class PlayedToken implements Operator {
  readonly path = '/played.so';
  readonly refusedPins = new RefusedPins();
  readonly logins: Pin[] = [];
  readonly operations: OperationName[] = [];
  flags = READY;
  returns: number[] = [];
  loggedIn = false;
  alwaysAuthenticate = false;
  signReturns: number[] = [];
  /** Whether it is out of its slot once C_Login has failed. */
  pulledOut = false;
  holds = 0;

  readonly record = {
    label: 'card',
    manufacturer: 'maker',
    model: 'model',
    serial: '1',
    slot: { id: 0, description: 'reader', manufacturer: 'maker' },
  };

  hold(): () => void {
    this.holds += 1;
    return () => {
      this.holds -= 1;
    };
  }

  request = (async (name: OperationName, takes: { pin?: Pin }) => {
    this.operations.push(name);
    // As a thread answers: later.
    await new Promise(setImmediate);
    if (name === 'token') return { ...this.record, flags: this.flags } satisfies TokenRecord;
    if (name === 'forget') this.loggedIn = false;
    if (name === 'login') {
      this.#login(takes.pin);
      this.loggedIn = true;
    }
    return name === 'sign' ? this.#sign(takes.pin) : undefined;
  }) as Operator['request'];

  #sign(pin: Pin | undefined): SignReply {
    if (!this.loggedIn) return { status: 'login' };
    if (this.alwaysAuthenticate && pin === undefined) return { status: 'signature-pin' };
    if (this.alwaysAuthenticate) this.#login(pin);
    const value = this.signReturns.shift() ?? 0;
    if (value !== 0) throw new OperationFailed({ kind: 'returned', function: 'C_Sign', value });
    return { status: 'signed', mechanism: 0x1057, signature: Uint8Array.of(1) };
  }

  #login(pin: Pin | undefined): void {
    this.logins.push(pin instanceof Uint8Array ? new Uint8Array(pin) : 'pad');
    const value = this.returns.shift() ?? 0;
    if (value === 0) return;
    const after = { kind: 'returned', function: 'C_Login', value } as const;
    throw new OperationFailed(this.pulledOut ? { kind: 'token-gone', after } : after);
  }
}

const signal = new AbortController().signal;

function keyOn(token: PlayedToken, pin?: PinCallback) {
  const facts = { token: token.record, id: Uint8Array.of(1), label: 'key', publicKey };
  const key = new TokenKey({ ...facts, schemes: ['ed25519'] }, token, new Logins(token, pin));
  return (until = signal) => key.sign(Buffer.from('data'), 'ed25519', { signal: until });
}

test.each([
  ['many', READY],
  ['few', READY | CKF.userPinCountLow],
  ['last', READY | CKF.userPinFinalTry],
  ['last', READY | CKF.userPinFinalTry | CKF.userPinCountLow],
])('the callback is told of %s tries', async (triesLeft, flags) => {
  const token = new PlayedToken();
  token.flags = flags;
  const pin = jest.fn(() => PIN);
  await keyOn(token, pin)();
  expect(pin).toHaveBeenCalledWith(expect.objectContaining({ triesLeft }));
  expect(token.logins).toEqual([new Uint8Array(Buffer.from(PIN))]);
});

test('two modules that share a token at the same time send it a wrong PIN once', async () => {
  const token = new PlayedToken();
  token.returns = [CKR.CKR_PIN_INCORRECT, CKR.CKR_PIN_INCORRECT];
  const signing = [1, 2].map(() => keyOn(token, () => WRONG_PIN)());
  for (const one of signing) {
    await expect(one).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'incorrect' });
  }
  expect(token.logins).toHaveLength(1);
});

test.each([
  ['for a login', false],
  ['for a signature', true],
])(
  'a wrong PIN %s is sent once, also to a card that is pulled out as soon as it has refused it',
  async (_what, alwaysAuthenticate) => {
    const token = new PlayedToken();
    Object.assign(token, { alwaysAuthenticate, loggedIn: alwaysAuthenticate, pulledOut: true });
    token.returns = [CKR.CKR_PIN_INCORRECT, CKR.CKR_PIN_INCORRECT];
    const sign = keyOn(token, () => WRONG_PIN);
    await expect(sign()).rejects.toMatchObject({ code: 'ERR_PKCS11_TOKEN', reason: 'removed' });
    await expect(sign()).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'incorrect' });
    expect(token.logins).toHaveLength(1);
  },
);

test('a PIN that is locked is not asked for', async () => {
  const token = new PlayedToken();
  token.flags = READY | CKF.userPinLocked;
  const pin = jest.fn(() => PIN);
  await expect(keyOn(token, pin)()).rejects.toMatchObject({
    code: 'ERR_PKCS11_PIN',
    reason: 'locked',
  });
  expect(pin).not.toHaveBeenCalled();
  expect(token.logins).toEqual([]);
});

test('a PIN that was never set is not asked for', async () => {
  const token = new PlayedToken();
  token.flags = READY & ~CKF.userPinInitialized;
  const pin = jest.fn(() => PIN);
  await expect(keyOn(token, pin)()).rejects.toMatchObject({
    code: 'ERR_PKCS11_PIN',
    reason: 'not-initialized',
  });
  expect(pin).not.toHaveBeenCalled();
});

test.each([
  [CKR.CKR_PIN_INCORRECT, 'incorrect'],
  [CKR.CKR_PIN_LOCKED, 'locked'],
  [CKR.CKR_PIN_EXPIRED, 'expired'],
  [CKR.CKR_PIN_INVALID, 'invalid'],
  [CKR.CKR_PIN_LEN_RANGE, 'length'],
  [CKR.CKR_USER_PIN_NOT_INITIALIZED, 'not-initialized'],
  [CKR.CKR_FUNCTION_CANCELED, 'cancelled'],
])('C_Login returns %i: %s, and it is called once', async (value, reason) => {
  const token = new PlayedToken();
  token.returns = [value];
  await expect(keyOn(token, () => WRONG_PIN)()).rejects.toMatchObject({
    code: 'ERR_PKCS11_PIN',
    reason,
  });
  expect(token.logins).toHaveLength(1);
});

test.each([false, true])(
  'a dialog that nobody waits for keeps nothing alive (for each signature: %s)',
  async (alwaysAuthenticate) => {
    const token = new PlayedToken();
    token.alwaysAuthenticate = alwaysAuthenticate;
    token.loggedIn = alwaysAuthenticate;
    const gone = new AbortController();
    const sign = keyOn(token, () => {
      setImmediate(() => gone.abort(new Error('gone')));
      return new Promise<never>(() => {});
    });
    await within('rejection', expect(sign(gone.signal)).rejects.toThrow('gone'));
    await new Promise(setImmediate);
    expect(token.holds).toBe(0);
  },
);

test('at a PIN pad nobody is asked, and an entry may be repeated', async () => {
  const token = new PlayedToken();
  token.flags = READY | CKF.protectedAuthenticationPath;
  token.returns = [CKR.CKR_PIN_INCORRECT, 0];
  const pin = jest.fn(() => PIN);
  const sign = keyOn(token, pin);
  await expect(sign()).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'incorrect' });
  await sign();
  expect(pin).not.toHaveBeenCalled();
  expect(token.logins).toEqual(['pad', 'pad']);
});

test('at a PIN pad a key is unlocked for each signature', async () => {
  const token = new PlayedToken();
  token.flags = READY | CKF.protectedAuthenticationPath;
  token.alwaysAuthenticate = true;
  const sign = keyOn(token);
  await sign();
  await sign();
  expect(token.logins).toEqual(['pad', 'pad', 'pad']);
});

test.each([CKR.CKR_USER_NOT_LOGGED_IN, CKR.CKR_SESSION_CLOSED, CKR.CKR_DEVICE_REMOVED])(
  'after %i it is tried once more, with a new login',
  async (value) => {
    const token = new PlayedToken();
    token.signReturns = [value];
    const pin = jest.fn(() => PIN);
    await keyOn(token, pin)();
    expect(pin).toHaveBeenCalledTimes(2);
    expect(token.operations.filter((name) => name === 'forget')).toHaveLength(1);
  },
);

test('and not twice more', async () => {
  const token = new PlayedToken();
  token.signReturns = [CKR.CKR_DEVICE_REMOVED, CKR.CKR_DEVICE_REMOVED, 0];
  await expect(keyOn(token, () => PIN)()).rejects.toMatchObject({
    code: 'ERR_PKCS11_TOKEN',
    reason: 'removed',
  });
  expect(token.signReturns).toEqual([0]);
});

test('another failure is not tried again', async () => {
  const token = new PlayedToken();
  token.signReturns = [CKR.CKR_DEVICE_ERROR, 0];
  await expect(keyOn(token, () => PIN)()).rejects.toMatchObject({
    code: 'ERR_PKCS11_FAILED',
    reason: 'CKR_DEVICE_ERROR',
  });
  expect(token.signReturns).toEqual([0]);
});
