/**
 * The side of the thread, with a module that is played: what SoftHSM cannot be brought to do. Return
 * values come as `pkcs11js` reports them.
 */
import { CKF, CKM, CKR, returnValueName } from '../../lib/signers/pkcs11/constants';
import { Cryptoki } from '../../lib/signers/pkcs11/cryptoki';
import { Failed } from '../../lib/signers/pkcs11/library';
import type { SignRequest } from '../../lib/signers/pkcs11/protocol';

const mockCalls: string[] = [];
/** By function: what it returns the next times. */
let mockReturns: Record<string, number[]> = {};
/** Functions after whose failure the card is out of its slot. */
let mockPulledAt: string | undefined;
let mockPulled = false;
let mockAttributes: Record<number, Buffer> = {};
let mockWidth = 8;
/** With which slot the session is. */
let mockSessionSlot = 0;

function mockCall<Result>(name: string, result: Result): Result {
  mockCalls.push(name);
  if (name === mockPulledAt) mockPulled = true;
  const value = mockReturns[name]?.shift() ?? 0;
  if (value === 0) return result;
  // C_FindObjects reports without the class of the others, and without `code`.
  const text = `${returnValueName(value)}:${value}`;
  if (name === 'C_FindObjects') throw new Error(text);
  throw Object.assign(new Error(text.split(':')[0]), { code: value });
}

const mockFlags = CKF.tokenInitialized | CKF.userPinInitialized | CKF.loginRequired;
const mockInfo = { label: 'card  ', manufacturerID: 'maker\0\0', model: 'm ', serialNumber: '1 ' };
const mockSlot = { slotDescription: 'reader ', manufacturerID: 'maker ' };

jest.mock('pkcs11js', () => ({
  CK_PARAMS_RSA_PSS: 9,
  PKCS11: class {
    load(): void {}
    close = () => mockCall('close', undefined);
    C_Initialize = (options?: object) =>
      mockCall(options === undefined ? 'C_Initialize()' : 'C_Initialize', undefined);
    C_Finalize = () => mockCall('C_Finalize', undefined);
    C_GetInfo = () =>
      mockCall('C_GetInfo', {
        manufacturerID: 'maker ',
        libraryDescription: 'played ',
        libraryVersion: { major: 1, minor: 2 },
      });
    C_GetSlotList = () => mockCall('C_GetSlotList', mockPulled ? [] : [Buffer.alloc(mockWidth, 0)]);
    C_GetSlotInfo = () => mockCall('C_GetSlotInfo', mockSlot);
    C_GetTokenInfo = () => mockCall('C_GetTokenInfo', { ...mockInfo, flags: mockFlags });
    C_GetMechanismList = () => mockCall('C_GetMechanismList', [1, 3, 0xd]);
    C_GetMechanismInfo = () => mockCall('C_GetMechanismInfo', { flags: 0x800 });
    C_OpenSession = () => mockCall('C_OpenSession', Buffer.alloc(mockWidth, 1));
    C_CloseSession = () => mockCall('C_CloseSession', undefined);
    C_GetSessionInfo = () =>
      mockCall('C_GetSessionInfo', { slotID: Buffer.alloc(mockWidth, mockSessionSlot), state: 1 });
    C_Login = (_session: unknown, user: number, pin: string) =>
      mockCall(`C_Login ${user} "${pin}"`, undefined);
    C_FindObjectsInit = () => mockCall('C_FindObjectsInit', undefined);
    C_FindObjects = () => mockCall('C_FindObjects', [Buffer.alloc(mockWidth, 2)]);
    C_FindObjectsFinal = () => mockCall('C_FindObjectsFinal', undefined);
    C_GetAttributeValue = (_session: unknown, _object: unknown, [{ type }]: [{ type: number }]) =>
      mockCall('C_GetAttributeValue', [{ type, value: mockAttributes[type] }]);
    C_SignInit = () => mockCall('C_SignInit', undefined);
    C_Sign = () => mockCall('C_Sign', Buffer.from([1, 2, 3]));
  },
}));

const ALWAYS_AUTHENTICATE = 0x202;
const ALLOWED_MECHANISMS = 0x40000600;
const token = { label: 'card', manufacturer: 'maker', model: 'm', serial: '1' };
const request: SignRequest = {
  token,
  id: Uint8Array.of(1),
  variants: [
    { mechanism: CKM.rsaPkcs, data: Uint8Array.of(1) },
    { mechanism: CKM.rsaX509, data: Uint8Array.of(2) },
  ],
};
let cryptoki: Cryptoki;

beforeEach(() => {
  mockCalls.length = 0;
  mockReturns = {};
  mockAttributes = {};
  mockPulled = false;
  mockPulledAt = undefined;
  mockWidth = 8;
  mockSessionSlot = 0;
  cryptoki = new Cryptoki();
});

const failure = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    if (error instanceof Failed) return error.failure;
    throw error;
  }
  throw new Error('it succeeded');
};
const open = () => cryptoki.open({ path: '/played.so', orphaned: false });

test('names are told without their padding', () => {
  expect(open()).toEqual({
    library: { manufacturer: 'maker', description: 'played', version: '1.2' },
    ours: true,
  });
  expect(cryptoki.tokens()).toEqual([
    { ...token, flags: mockFlags, slot: { id: 0, description: 'reader', manufacturer: 'maker' } },
  ]);
});

test.each(['C_SignInit', 'C_Sign', 'C_GetAttributeValue', 'C_FindObjects'])(
  'a card that is pulled out during %s is gone, whatever was returned',
  (name) => {
    open();
    mockPulledAt = name;
    mockReturns = { [name]: [CKR.CKR_FUNCTION_FAILED] };
    expect(failure(() => cryptoki.sign(request))).toEqual({
      kind: 'token-gone',
      after: { kind: 'returned', function: name, value: CKR.CKR_FUNCTION_FAILED },
    });
  },
);

test('while it is there, what was returned is told', () => {
  open();
  mockReturns = { C_Sign: [CKR.CKR_DEVICE_ERROR] };
  expect(failure(() => cryptoki.sign(request))).toEqual({
    kind: 'returned',
    function: 'C_Sign',
    value: CKR.CKR_DEVICE_ERROR,
  });
});

test('a token that cannot be read fails only when it is the only one', () => {
  open();
  mockReturns = { C_OpenSession: [CKR.CKR_TOKEN_NOT_RECOGNIZED] };
  expect(failure(() => cryptoki.contents({ tokens: [token] }))).toMatchObject({
    function: 'C_OpenSession',
  });
  mockReturns = { C_FindObjectsInit: [CKR.CKR_FUNCTION_FAILED] };
  expect(cryptoki.contents({ tokens: [token, token] })).toHaveLength(1);
});

describe('a token that was there once and is missing', () => {
  const initialized = () => mockCalls.filter((name) => name === 'C_Initialize').length;

  test('is looked for by initializing the module again, when nobody is logged in', () => {
    open();
    cryptoki.tokens();
    expect(initialized()).toBe(1);
    mockPulled = true;
    expect(cryptoki.tokens()).toEqual([]);
    expect(initialized()).toBe(2);
  });

  test('is not, where the module notices by itself that one comes', () => {
    open();
    cryptoki.tokens();
    mockPulled = true;
    cryptoki.tokens();
    mockPulled = false;
    expect(cryptoki.tokens()).toHaveLength(1);
    mockPulled = true;
    const before = initialized();
    cryptoki.tokens();
    expect(cryptoki.lookAgain()).toBe(false);
    expect(initialized()).toBe(before);
  });

  test('is not, where somebody else initialized the module', () => {
    mockReturns = { C_Initialize: [CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED] };
    open();
    cryptoki.tokens();
    mockPulled = true;
    expect(cryptoki.tokens()).toEqual([]);
    expect(cryptoki.lookAgain()).toBe(false);
    expect(mockCalls).not.toContain('C_Finalize');
  });
});

test('what a thread that died left initialized is initialized anew, and finalized', () => {
  mockReturns = { C_Initialize: [CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED] };
  expect(cryptoki.open({ path: '/played.so', orphaned: true })).toMatchObject({ ours: true });
  cryptoki.close();
  expect(mockCalls.filter((name) => /Init|Final|close/.test(name))).toEqual([
    ...['C_Initialize', 'C_Finalize', 'C_Initialize'],
    ...['C_Finalize', 'close'],
  ]);
});

test('a session that is none any more is opened anew', () => {
  open();
  cryptoki.sign(request);
  mockReturns = { C_GetSessionInfo: [CKR.CKR_SESSION_HANDLE_INVALID] };
  expect(cryptoki.sign(request)).toMatchObject({ status: 'signed', mechanism: CKM.rsaPkcs });
  expect(mockCalls.filter((name) => name === 'C_OpenSession')).toHaveLength(2);
});

test.each([
  ['used', () => cryptoki.sign(request), ['C_OpenSession']],
  ['closed when it is forgotten', () => cryptoki.forget({ token }), []],
  ['closed with the module', () => cryptoki.close(), []],
])("a handle that is another token's session by now is not %s", (_what, act, called) => {
  open();
  cryptoki.token({ token });
  mockSessionSlot = 1;
  mockCalls.length = 0;
  act();
  expect(mockCalls.filter((name) => /(Open|Close)Session/.test(name))).toEqual(called);
});

test.each([
  ['CKR_DEVICE_ERROR', ['C_CloseSession']],
  ['CKR_HOST_MEMORY', ['C_CloseSession']],
  ['CKR_FUNCTION_FAILED', ['C_CloseSession']],
  ['CKR_SESSION_HANDLE_INVALID', []],
  ['CKR_SESSION_CLOSED', []],
  ['CKR_CRYPTOKI_NOT_INITIALIZED', []],
] as const)('of a session that is asked after, %s: calls are %j', (name, called) => {
  open();
  cryptoki.token({ token });
  mockCalls.length = 0;
  mockReturns = { C_GetSessionInfo: [CKR[name]] };
  cryptoki.forget({ token });
  expect(mockCalls.filter((name) => name === 'C_CloseSession')).toEqual(called);
});

test('a PIN pad is given an empty PIN; a refusal ends the session of its signature', () => {
  open();
  mockAttributes = { [ALWAYS_AUTHENTICATE]: Buffer.of(1) };
  expect(cryptoki.sign(request)).toEqual({ status: 'signature-pin' });
  mockCalls.length = 0;
  mockReturns = { 'C_Login 2 ""': [CKR.CKR_PIN_INCORRECT] };
  expect(failure(() => cryptoki.sign({ ...request, pin: 'pad' }))).toMatchObject({
    function: 'C_Login',
    value: CKR.CKR_PIN_INCORRECT,
  });
  const relevant = mockCalls.filter((name) => /Session$|Sign|Login/.test(name));
  expect(relevant).toEqual(['C_OpenSession', 'C_SignInit', 'C_Login 2 ""', 'C_CloseSession']);
});

test.each([4, 8])('allowed mechanisms of %i bytes each', (width) => {
  mockWidth = width;
  open();
  const allowed = Buffer.alloc(width * 2);
  for (const [i, mechanism] of [CKM.rsaPkcsPss, CKM.rsaX509].entries()) {
    allowed.writeUInt32LE(mechanism, i * width);
  }
  mockAttributes = { [ALLOWED_MECHANISMS]: allowed };
  expect(cryptoki.sign(request)).toMatchObject({ mechanism: CKM.rsaX509 });
  mockAttributes = { [ALLOWED_MECHANISMS]: allowed.subarray(0, width) };
  cryptoki.forget({ token });
  expect(failure(() => cryptoki.sign(request))).toEqual({ kind: 'no-mechanism' });
});

test('a module that cannot lock is initialized without', () => {
  mockReturns = { C_Initialize: [CKR.CKR_CANT_LOCK] };
  open();
  cryptoki.close();
  expect(mockCalls.filter((name) => /Init|Final|close/.test(name))).toEqual([
    'C_Initialize',
    'C_Initialize()',
    'C_Finalize',
    'close',
  ]);
});

test('a module that somebody else initialized is not finalized, and taken over when they finalize it', () => {
  mockReturns = { C_Initialize: [CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED] };
  open();
  cryptoki.close();
  expect(mockCalls).not.toContain('C_Finalize');

  cryptoki = new Cryptoki();
  mockReturns = {
    C_Initialize: [CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED],
    C_GetSlotList: [CKR.CKR_CRYPTOKI_NOT_INITIALIZED],
  };
  open();
  expect(cryptoki.tokens()).toHaveLength(1);
  cryptoki.close();
  expect(mockCalls).toContain('C_Finalize');
});
