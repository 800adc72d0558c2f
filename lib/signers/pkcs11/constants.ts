/**
 * The numbers of PKCS#11 that are used here, by their names in the standard (PKCS#11 v2.40 Base,
 * appendix B, and v3.0 for EdDSA). Not taken from `pkcs11js`, which only the worker thread loads.
 */

/** Return values of Cryptoki functions. */
export const CKR = {
  CKR_CANCEL: 0x01,
  CKR_HOST_MEMORY: 0x02,
  CKR_SLOT_ID_INVALID: 0x03,
  CKR_GENERAL_ERROR: 0x05,
  CKR_FUNCTION_FAILED: 0x06,
  CKR_ARGUMENTS_BAD: 0x07,
  CKR_NEED_TO_CREATE_THREADS: 0x09,
  CKR_CANT_LOCK: 0x0a,
  CKR_ATTRIBUTE_SENSITIVE: 0x11,
  CKR_ATTRIBUTE_TYPE_INVALID: 0x12,
  CKR_DATA_INVALID: 0x20,
  CKR_DATA_LEN_RANGE: 0x21,
  CKR_DEVICE_ERROR: 0x30,
  CKR_DEVICE_MEMORY: 0x31,
  CKR_DEVICE_REMOVED: 0x32,
  CKR_FUNCTION_CANCELED: 0x50,
  CKR_FUNCTION_NOT_SUPPORTED: 0x54,
  CKR_KEY_HANDLE_INVALID: 0x60,
  CKR_KEY_SIZE_RANGE: 0x62,
  CKR_KEY_TYPE_INCONSISTENT: 0x63,
  CKR_KEY_FUNCTION_NOT_PERMITTED: 0x68,
  CKR_MECHANISM_INVALID: 0x70,
  CKR_MECHANISM_PARAM_INVALID: 0x71,
  CKR_OBJECT_HANDLE_INVALID: 0x82,
  CKR_OPERATION_ACTIVE: 0x90,
  CKR_OPERATION_NOT_INITIALIZED: 0x91,
  CKR_PIN_INCORRECT: 0xa0,
  CKR_PIN_INVALID: 0xa1,
  CKR_PIN_LEN_RANGE: 0xa2,
  CKR_PIN_EXPIRED: 0xa3,
  CKR_PIN_LOCKED: 0xa4,
  CKR_SESSION_CLOSED: 0xb0,
  CKR_SESSION_COUNT: 0xb1,
  CKR_SESSION_HANDLE_INVALID: 0xb3,
  CKR_TOKEN_NOT_PRESENT: 0xe0,
  CKR_TOKEN_NOT_RECOGNIZED: 0xe1,
  CKR_USER_ALREADY_LOGGED_IN: 0x100,
  CKR_USER_NOT_LOGGED_IN: 0x101,
  CKR_USER_PIN_NOT_INITIALIZED: 0x102,
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: 0x104,
  CKR_BUFFER_TOO_SMALL: 0x150,
  CKR_CRYPTOKI_NOT_INITIALIZED: 0x190,
  CKR_CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const;

const RETURN_VALUES = new Map(Object.entries(CKR).map(([name, value]) => [value as number, name]));

/** The name of a return value; `CKR_0x…` where it is none of those above. */
export function returnValueName(value: number): string {
  return RETURN_VALUES.get(value) ?? `CKR_0x${value.toString(16).toUpperCase().padStart(8, '0')}`;
}

/** Object classes (v2.40 Base, section 4.1). */
export const CKO = { certificate: 1, publicKey: 2, privateKey: 3 } as const;

/** Attributes (v2.40 Base, sections 4.4 to 4.9). */
export const CKA = {
  class: 0x0,
  private: 0x2,
  label: 0x3,
  value: 0x11,
  certificateType: 0x80,
  id: 0x102,
  sign: 0x108,
  modulus: 0x120,
  ecPoint: 0x181,
  alwaysAuthenticate: 0x202,
  allowedMechanisms: 0x40000600,
} as const;

/** Mechanisms that sign (v2.40 Current Mechanisms, sections 2.1 and 2.3; v3.0, section 2.3.5). */
export const CKM = {
  rsaPkcs: 0x1,
  rsaX509: 0x3,
  rsaPkcsPss: 0xd,
  ecdsa: 0x1041,
  eddsa: 0x1057,
} as const;

/** Flags of a token (v2.40 Base, section 3.2, CK_TOKEN_INFO). */
export const CKF = {
  loginRequired: 0x4,
  userPinInitialized: 0x8,
  protectedAuthenticationPath: 0x100,
  tokenInitialized: 0x400,
  userPinCountLow: 0x10000,
  userPinFinalTry: 0x20000,
  userPinLocked: 0x40000,
} as const;
