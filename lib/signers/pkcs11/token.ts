/**
 * Tokens, as the callers see them, and which of them a URI means.
 */
import { CKF } from './constants';
import type { LibraryRecord, TokenId, TokenRecord } from './protocol';
import { Pkcs11Uri } from './uri';

/**
 * How many tries with a PIN are left. PKCS#11 tells no number, only whether there was a wrong one
 * since the last right one (`'few'`, CKF_USER_PIN_COUNT_LOW) and whether the next wrong one locks
 * the PIN (`'last'`, CKF_USER_PIN_FINAL_TRY; v2.40 Base, section 3.2). `'many'` says that neither
 * flag is set, which a token may never do.
 */
export type TriesLeft = 'many' | 'few' | 'last';

/** A token in a slot: a smart card in its reader, a USB key, a partition of an HSM. */
export interface Pkcs11Token {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly slot: {
    readonly id: number;
    readonly description: string;
    readonly manufacturer: string;
  };
  /** What its PIN is good for; `'locked'` and `'not-initialized'`: for nothing. */
  readonly pin: TriesLeft | 'locked' | 'not-initialized';
  /** Whether the PIN is typed in at the token or its reader (CKF_PROTECTED_AUTHENTICATION_PATH). */
  readonly pinPad: boolean;
  /** Whether keys are usable only after a login (CKF_LOGIN_REQUIRED). */
  readonly loginRequired: boolean;
  /** RFC 7512, with label, manufacturer, model and serial. */
  readonly uri: string;
}

export function publicToken(record: TokenRecord): Pkcs11Token {
  const { label, manufacturer, model, serial, flags, slot } = record;
  return Object.freeze({
    label,
    manufacturer,
    model,
    serial,
    slot: Object.freeze({ ...slot }),
    pin: pinState(flags),
    pinPad: (flags & CKF.protectedAuthenticationPath) !== 0,
    loginRequired: (flags & CKF.loginRequired) !== 0,
    uri: new Pkcs11Uri({ token: label, manufacturer, model, serial }).toString(),
  });
}

function pinState(flags: number): Pkcs11Token['pin'] {
  if ((flags & CKF.userPinLocked) !== 0) return 'locked';
  if ((flags & CKF.userPinInitialized) === 0) return 'not-initialized';
  if ((flags & CKF.userPinFinalTry) !== 0) return 'last';
  return (flags & CKF.userPinCountLow) !== 0 ? 'few' : 'many';
}

export function tokenId({ label, manufacturer, model, serial }: TokenId): TokenId {
  return { label, manufacturer, model, serial };
}

/** Whether a URI's attributes of library, slot and token fit (RFC 7512, section 2.5). */
export function meansToken(uri: Pkcs11Uri, library: LibraryRecord, token: TokenRecord): boolean {
  const { attributes } = uri;
  const pairs: [string | number | undefined, string | number][] = [
    [attributes.token, token.label],
    [attributes.manufacturer, token.manufacturer],
    [attributes.model, token.model],
    [attributes.serial, token.serial],
    [attributes.slotId, token.slot.id],
    [attributes.slotDescription, token.slot.description],
    [attributes.slotManufacturer, token.slot.manufacturer],
    [attributes.libraryDescription, library.description],
    [attributes.libraryManufacturer, library.manufacturer],
    [fullVersion(attributes.libraryVersion), library.version],
  ];
  return pairs.every(([wanted, there]) => wanted === undefined || sameText(wanted, there));
}

/** The padding is no part of a name. */
function sameText(wanted: string | number, there: string | number): boolean {
  return String(wanted).replace(/ +$/, '') === String(there);
}

/** "2" stands for "2.0" (RFC 7512, section 2.3). */
function fullVersion(version: string | undefined): string | undefined {
  return version === undefined || version.includes('.') ? version : `${version}.0`;
}
