/** Signers whose keys are in memory after all, and that sign when the test says so. */
import { constants, sign } from 'node:crypto';
import type { SignatureScheme, SignContext, Signer } from '../../lib/index';
import { later, pemBlocks } from './client';
import type { Identity } from './pki';
import { Waiting } from './waiting';

const HASH = /sha(1|256|384|512)$/;

/** Signs as TLS does, by node:crypto. */
export function signWith(key: string, data: Uint8Array, scheme: SignatureScheme): Buffer {
  const digest = HASH.exec(scheme)?.[0] ?? null;
  if (!scheme.startsWith('rsa_pss')) return sign(digest, data, key);
  return sign(digest, data, {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

/** What a signer was asked. */
export interface Asked {
  readonly data: Uint8Array;
  readonly scheme: SignatureScheme;
  readonly signal: AbortSignal;
}

/** A signer that hands each call to `how`, and keeps a list of them. */
export function signer(
  how: (asked: Asked) => Uint8Array | PromiseLike<Uint8Array>,
  schemes?: readonly SignatureScheme[],
): Signer & { readonly asked: Asked[] } {
  const asked: Asked[] = [];
  return {
    asked,
    ...(schemes !== undefined && { schemes }),
    sign: (data: Uint8Array, scheme: SignatureScheme, context: SignContext) => {
      const call = { data, scheme, signal: context.signal };
      asked.push(call);
      return how(call);
    },
  };
}

/** A signer that has this identity's key and signs at once. */
export function signerOf({ key }: Pick<Identity, 'key'>, schemes?: readonly SignatureScheme[]) {
  return signer(({ data, scheme }) => signWith(key, data, scheme), schemes);
}

/** A signer that has this identity's key and signs some milliseconds later. */
export function lateSigner(
  { key }: Pick<Identity, 'key'>,
  ms?: number,
  schemes?: readonly SignatureScheme[],
) {
  return signer(({ data, scheme }) => later(signWith(key, data, scheme), ms), schemes);
}

/** The options of a credential with this identity's certificate and chain, and a signer. */
export function signedBy<Key extends Signer>(
  identity: Pick<Identity, 'cert'> & { readonly chain?: string },
  key: Key,
) {
  const { cert, chain } = identity;
  return chain === undefined ? { cert, key } : { cert, key, chain: pemBlocks(chain) };
}

/** A call of a {@link HeldSigner} that has not been answered. */
export interface HeldCall extends Asked {
  /** Gives the signature. */
  give(): void;
  /** Gives something else. */
  settle(value: unknown): void;
  reject(error: unknown): void;
}

export interface HeldSigner extends Signer {
  /** All calls so far. */
  readonly asked: HeldCall[];
  /** The `nth` call, as soon as it is made. */
  call(nth?: number): Promise<HeldCall>;
}

/** A signer that has this identity's key and keeps whoever asks waiting until the test says so. */
export function heldSigner(
  { key }: Pick<Identity, 'key'>,
  schemes?: readonly SignatureScheme[],
): HeldSigner {
  const waiting = new Waiting((why) => new Error(`signer: ${why}; calls: ${asked.length}`));
  const asked: HeldCall[] = [];
  return {
    asked,
    ...(schemes !== undefined && { schemes }),
    call: (nth = 1) => waiting.until(`call ${nth}`, () => asked[nth - 1]),
    sign: (data: Uint8Array, scheme: SignatureScheme, { signal }: SignContext) =>
      new Promise<Uint8Array>((resolve, reject) => {
        const give = () => resolve(signWith(key, data, scheme));
        asked.push({ data, scheme, signal, give, settle: resolve as never, reject });
        waiting.changed();
      }),
  };
}
