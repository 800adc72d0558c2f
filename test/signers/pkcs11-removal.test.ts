/** A token that goes and comes back, and a session that somebody else spoils. */
import { verify } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { CKR } from '../../lib/signers/pkcs11/constants';
import { errorOf, isStale } from '../../lib/signers/pkcs11/failures';
import { type Pkcs11Identity, Pkcs11Module } from '../../lib/signers/pkcs11/index';
import { deferred, dial, failure, withSServer } from '../support/client';
import { loadPki } from '../support/pki';
import { PIN, SOFTHSM, SoftHsm, useTypeScriptWorkers } from '../support/softhsm';
import { verification } from './verification';

useTypeScriptWorkers();

const pki = loadPki();
let softHsm: SoftHsm;
let cards: Pkcs11Module;
let identity: Pkcs11Identity;
let prompts: number;
let answer: () => string | Promise<string>;

beforeEach(async () => {
  softHsm = await SoftHsm.make({
    tokens: { card: [{ label: 'key', id: '01', identity: pki.clients.ec256 }] },
  });
  await softHsm.select();
  prompts = 0;
  answer = () => PIN;
  cards = await Pkcs11Module.load(SOFTHSM, {
    pin: () => {
      prompts += 1;
      return answer();
    },
  });
  identity = await cards.identity('pkcs11:token=card');
}, 60_000);
afterEach(async () => {
  await cards.close();
  await softHsm.remove();
});

const sign = async () =>
  identity.key.sign(Buffer.from('data'), 'ecdsa_secp256r1_sha256', {
    signal: new AbortController().signal,
  });

test('removed before a signature: a typed error; back again: it signs, after a new login', async () => {
  await sign();
  const putBack = softHsm.pull();
  await expect(sign()).rejects.toMatchObject({
    code: 'ERR_PKCS11_TOKEN',
    reason: 'removed',
    message: expect.stringContaining('"card"'),
  });
  await expect(cards.identity('pkcs11:token=card')).rejects.toMatchObject({
    code: 'ERR_PKCS11_TOKEN',
    reason: 'not-found',
  });
  expect(prompts).toBe(1);
  putBack();
  await sign();
  expect(prompts).toBe(2);
});

test('back again it is listed, before anything is signed', async () => {
  await sign();
  for (const list of [
    async () => (await cards.tokens()).map(({ label }) => label),
    async () => (await cards.identities()).map(({ token }) => token.label),
    async () => [(await cards.identity('pkcs11:object=key')).token.label],
  ]) {
    const putBack = softHsm.pull();
    expect(await cards.tokens()).toEqual([]);
    putBack();
    expect(await list()).toEqual(['card']);
  }
  await sign();
  expect(prompts).toBe(2);
});

describe('while another token of the module is logged in', () => {
  let putBack: () => void;
  const listed = async () => (await cards.identities()).map(({ label }) => label).sort();
  const other = (from: Pkcs11Identity) =>
    from.key.sign(Buffer.from('data'), 'ecdsa_secp384r1_sha384', {
      signal: new AbortController().signal,
    });
  let others: Pkcs11Identity;

  beforeEach(async () => {
    await cards.close();
    await softHsm.init('other');
    await softHsm.place('other', { label: 'far', id: '02', identity: pki.clients.ec384 });
    cards = await Pkcs11Module.load(SOFTHSM, {
      pin: () => {
        prompts += 1;
        return PIN;
      },
    });
    [identity, others] = await Promise.all([
      cards.identity('pkcs11:object=key'),
      cards.identity('pkcs11:object=far'),
    ]);
    await sign();
    await other(others);
    putBack = softHsm.pull('other');
    expect(await listed()).toEqual(['key']);
    await sign();
    expect(prompts).toBe(2);
    putBack();
  }, 60_000);

  test('one that is back is not listed at the price of that login', async () => {
    expect(await listed()).toEqual(['key']);
    await sign();
    expect(prompts).toBe(2);
  });

  test('it signs again', async () => {
    await other(others);
    expect(await listed()).toEqual(['far', 'key']);
    await sign();
    expect(prompts).toBe(4);
  });

  test('it is found by its URI', async () => {
    await other(await cards.identity('pkcs11:object=far'));
    await sign();
    expect(prompts).toBe(4);
  });
});

test('removed and put back between two signatures: a new login', async () => {
  await sign();
  const putBack = softHsm.pull();
  // SoftHSM notices only when it is asked.
  await cards.tokens();
  putBack();
  await sign();
  expect(prompts).toBe(2);
});

test('removed while the PIN is asked for', async () => {
  const asked = deferred();
  const typed = deferred<string>();
  answer = () => {
    asked.resolve();
    return typed.promise;
  };
  const signature = sign();
  await asked.promise;
  softHsm.pull();
  typed.resolve(PIN);
  await expect(signature).rejects.toMatchObject({ code: 'ERR_PKCS11_TOKEN', reason: 'removed' });
});

test('removed during a handshake: the connection fails, and says so', async () => {
  await sign();
  await withSServer({ requestCert: 'required' }, async (server) => {
    const error = await failure(
      dial(server, {
        clientCertCallback: () => {
          softHsm.pull();
          return identity;
        },
      }),
    );
    expect(error).toMatchObject({
      code: 'ERR_SIGNER_FAILED',
      cause: { code: 'ERR_PKCS11_TOKEN', reason: 'removed' },
    });
  });
});

/** Something else in this process that uses the same module, in a thread of its own. */
async function meanwhile(what: 'logout' | 'close sessions' | 'finalize'): Promise<void> {
  const code = `
    const { PKCS11 } = require('pkcs11js');
    const module = new PKCS11();
    module.load(${JSON.stringify(SOFTHSM)});
    const [slot] = module.C_GetSlotList(true);
    if (${JSON.stringify(what)} === 'logout') {
      const session = module.C_OpenSession(slot, 4);
      module.C_Logout(session);
      module.C_CloseSession(session);
    } else if (${JSON.stringify(what)} === 'finalize') module.C_Finalize();
    else module.C_CloseAllSessions(slot);
  `;
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
}

test.each(['logout', 'close sessions', 'finalize'] as const)(
  'somebody else in the process: %s',
  async (what) => {
    await sign();
    await meanwhile(what);
    await sign();
    expect(prompts).toBe(2);
  },
);

test('after a finalize of somebody else, no token is taken for another that has its session handle', async () => {
  await cards.close();
  await softHsm.init('other');
  // Under the same id, so that nothing but its slot tells it from the first.
  await softHsm.place('other', { label: 'far', id: '01', identity: pki.clients.rsa });
  const asked: string[] = [];
  cards = await Pkcs11Module.load(SOFTHSM, {
    pin: ({ token }) => {
      asked.push(token.label);
      return PIN;
    },
  });
  identity = await cards.identity('pkcs11:token=card');
  const far = await cards.identity('pkcs11:token=other');
  await meanwhile('finalize');
  const data = Buffer.from('data');
  // The first to sign is given the first handle.
  for (const { key, certificate } of [far, identity, far, identity]) {
    const [scheme = 'ed25519'] = key.schemes;
    const signature = await key.sign(data, scheme, { signal: new AbortController().signal });
    const how = verification(scheme, certificate.publicKey);
    expect(verify(how.hash, data, how.key, signature)).toBe(true);
  }
  expect(asked).toEqual(['other', 'card']);
}, 60_000);

test.each([
  'CKR_TOKEN_NOT_PRESENT',
  'CKR_DEVICE_REMOVED',
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_SESSION_CLOSED',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_OBJECT_HANDLE_INVALID',
  'CKR_KEY_HANDLE_INVALID',
] as const)('%s is worth another try', (name) => {
  const after = (value: number) => isStale({ kind: 'returned', function: 'C_Sign', value });
  expect(after(CKR[name])).toBe(true);
  expect(after(CKR.CKR_GENERAL_ERROR)).toBe(false);
  expect(after(CKR.CKR_PIN_INCORRECT)).toBe(false);
});

test.each(['CKR_TOKEN_NOT_PRESENT', 'CKR_DEVICE_REMOVED', 'CKR_TOKEN_NOT_RECOGNIZED'] as const)(
  '%s is told as a removal',
  (name) => {
    const error = errorOf(
      { kind: 'returned', function: 'C_Sign', value: CKR[name] },
      { path: SOFTHSM },
    );
    expect(error).toMatchObject({
      code: 'ERR_PKCS11_TOKEN',
      reason: 'removed',
      cause: { message: `C_Sign returned ${name}` },
    });
  },
);

test('any other return value keeps its name', () => {
  const told = (value: number) =>
    errorOf({ kind: 'returned', function: 'C_Sign', value }, { path: SOFTHSM });
  expect(told(CKR.CKR_DEVICE_ERROR)).toMatchObject({
    code: 'ERR_PKCS11_FAILED',
    reason: 'CKR_DEVICE_ERROR',
  });
  expect(told(0x80000001).reason).toBe('CKR_0x80000001');
});
