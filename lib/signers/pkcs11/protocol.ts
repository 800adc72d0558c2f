/**
 * What the main thread and the worker thread say to each other. Plain data, that `postMessage` copies.
 */

/** What tells a token from another, also when it comes back in another slot. */
export interface TokenId {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
}

/** A token as C_GetTokenInfo and C_GetSlotInfo describe it, without the padding. */
export interface TokenRecord extends TokenId {
  /** `CKF_…` */
  readonly flags: number;
  readonly slot: SlotRecord;
}

export interface SlotRecord {
  readonly id: number;
  readonly description: string;
  readonly manufacturer: string;
}

/** The module itself, from C_GetInfo. */
export interface LibraryRecord {
  readonly manufacturer: string;
  readonly description: string;
  /** For instance `'2.6'`. */
  readonly version: string;
}

/** An object that a token shows to whoever is logged in, or to everybody. */
export interface ObjectRecord {
  readonly type: 'cert' | 'private' | 'public';
  readonly id: Uint8Array;
  readonly label: string;
  /** Of certificates their DER. Of public keys, where several share an id, what tells them apart. */
  readonly value?: Uint8Array | undefined;
  /** `CKA_ALLOWED_MECHANISMS`; of private keys, where there is one. */
  readonly allowedMechanisms?: readonly number[] | undefined;
}

export interface TokenContents {
  readonly token: TokenRecord;
  /** Whether private objects are among those shown. */
  readonly loggedIn: boolean;
  /** Those that sign, out of what is used here. */
  readonly mechanisms: readonly number[];
  readonly objects: readonly ObjectRecord[];
}

/** One way to make a signature: a mechanism, and what it is fed with. */
export interface SigningVariant {
  readonly mechanism: number;
  /** CK_RSA_PKCS_PSS_PARAMS. */
  readonly pss?: { readonly hash: number; readonly mgf: number; readonly saltLength: number };
  readonly data: Uint8Array;
}

export interface SignRequest {
  readonly token: TokenId;
  /** The key's CKA_ID. */
  readonly id: Uint8Array;
  /** The first that token and key have is used. */
  readonly variants: readonly SigningVariant[];
  /** For a key that wants its user authenticated for each signature. */
  readonly pin?: Pin | undefined;
}

/** UTF-8, or `'pad'` where it is typed in at the token itself. */
export type Pin = Uint8Array | 'pad';

export type SignReply =
  | { readonly status: 'signed'; readonly mechanism: number; readonly signature: Uint8Array }
  /** The user has to log in first. */
  | { readonly status: 'login' }
  /** The user has to be authenticated for this one signature (CKA_ALWAYS_AUTHENTICATE). */
  | { readonly status: 'signature-pin' };

/** The operations: what each takes, and what it brings. */
export interface Operations {
  open: {
    /** `orphaned`: a thread died that had initialized the module. */
    takes: { readonly path: string; readonly orphaned: boolean };
    /** `ours`: it was initialized by this, and is to be finalized. */
    brings: { readonly library: LibraryRecord; readonly ours: boolean };
  };
  tokens: { takes: object; brings: readonly TokenRecord[] };
  /**
   * Looks harder for tokens that were there once and are missing, at the price of all logins; says
   * whether that may have brought something.
   */
  lookAgain: { takes: object; brings: boolean };
  /** One token, as it is now. */
  token: { takes: { readonly token: TokenId }; brings: TokenRecord };
  /**
   * What is on these tokens. Those that are gone are left out, and those that cannot be read, unless
   * there is no other.
   */
  contents: { takes: { readonly tokens: readonly TokenId[] }; brings: readonly TokenContents[] };
  login: { takes: { readonly token: TokenId; readonly pin: Pin }; brings: undefined };
  sign: { takes: SignRequest; brings: SignReply };
  /** Drops session and handles, so that the next operation looks for the token anew. */
  forget: { takes: { readonly token: TokenId }; brings: undefined };
  close: { takes: object; brings: undefined };
}

export type OperationName = keyof Operations;

export interface Request<Name extends OperationName = OperationName> {
  readonly name: Name;
  readonly takes: Operations[Name]['takes'];
}

/** Why an operation failed. `lib/signers/pkcs11/failures.ts` makes an error of it. */
export type FailureRecord =
  /** A function returned this. */
  | { readonly kind: 'returned'; readonly function: string; readonly value: number }
  /** The token is in no slot; `after` is what a function returned before that was noticed. */
  | { readonly kind: 'token-gone'; readonly after?: FailureRecord | undefined }
  | { readonly kind: 'key-not-found' }
  | { readonly kind: 'key-ambiguous'; readonly count: number }
  /** Neither token nor key allow any variant. */
  | { readonly kind: 'no-mechanism' }
  | { readonly kind: 'pkcs11js-missing'; readonly message: string }
  | { readonly kind: 'not-loaded'; readonly message: string }
  /** A defect, here or in `pkcs11js`. */
  | { readonly kind: 'unexpected'; readonly message: string };

export type Reply = { readonly brought: unknown } | { readonly failure: FailureRecord };

/** For maps. No part can hold a zero character: they are padded text. */
export function tokenKey({ label, manufacturer, model, serial }: TokenId): string {
  return [serial, label, manufacturer, model].join('\0');
}
