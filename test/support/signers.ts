/** Signers whose keys are in memory after all, and that sign when the test says so. */
import { constants, sign } from 'node:crypto';
import type { SignatureScheme, SignContext, Signer } from '../../lib/index';

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
