/**
 * Which signature schemes a key on a token can do, and what the token is to do for each.
 */
import type { KeyObject } from 'node:crypto';
import { TLSClientCertError } from '../../errors';
import type { SignatureScheme } from '../../signature-schemes';
import { encodeEcdsaSignature } from '../ecdsa';
import { CKM } from './constants';
import {
  digestInfo,
  digestOf,
  encodePkcs1,
  encodePss,
  HASH_LENGTH,
  type Hash,
  hasRoomForPkcs1,
  hasRoomForPss,
} from './emsa';
import type { SigningVariant } from './protocol';

type Method =
  | { readonly is: 'pkcs1' | 'pss' | 'pss-key'; readonly hash: Hash }
  | { readonly is: 'ecdsa'; readonly hash: Hash; readonly curve?: string }
  | { readonly is: 'eddsa'; readonly type: 'ed25519' | 'ed448' };

/**
 * Those of RFC 8446, section 4.2.3, and RFC 8734. On TLS 1.2 an `ecdsa_secp…` scheme names only the
 * hash, so any curve goes with it; OpenSSL minds the curve on TLS 1.3.
 */
const METHODS: Partial<Readonly<Record<SignatureScheme, Method>>> = {
  rsa_pss_rsae_sha256: { is: 'pss', hash: 'sha256' },
  rsa_pss_rsae_sha384: { is: 'pss', hash: 'sha384' },
  rsa_pss_rsae_sha512: { is: 'pss', hash: 'sha512' },
  rsa_pss_pss_sha256: { is: 'pss-key', hash: 'sha256' },
  rsa_pss_pss_sha384: { is: 'pss-key', hash: 'sha384' },
  rsa_pss_pss_sha512: { is: 'pss-key', hash: 'sha512' },
  rsa_pkcs1_sha256: { is: 'pkcs1', hash: 'sha256' },
  rsa_pkcs1_sha384: { is: 'pkcs1', hash: 'sha384' },
  rsa_pkcs1_sha512: { is: 'pkcs1', hash: 'sha512' },
  rsa_pkcs1_sha1: { is: 'pkcs1', hash: 'sha1' },
  ecdsa_secp256r1_sha256: { is: 'ecdsa', hash: 'sha256' },
  ecdsa_secp384r1_sha384: { is: 'ecdsa', hash: 'sha384' },
  ecdsa_secp521r1_sha512: { is: 'ecdsa', hash: 'sha512' },
  ecdsa_brainpoolP256r1tls13_sha256: { is: 'ecdsa', hash: 'sha256', curve: 'brainpoolP256r1' },
  ecdsa_brainpoolP384r1tls13_sha384: { is: 'ecdsa', hash: 'sha384', curve: 'brainpoolP384r1' },
  ecdsa_brainpoolP512r1tls13_sha512: { is: 'ecdsa', hash: 'sha512', curve: 'brainpoolP512r1' },
  ecdsa_sha1: { is: 'ecdsa', hash: 'sha1' },
  ed25519: { is: 'eddsa', type: 'ed25519' },
  ed448: { is: 'eddsa', type: 'ed448' },
};

/** CKM_… of the hash and CKG_MGF1_… with it (v2.40 Current Mechanisms, section 2.1.7). */
const PSS_NUMBERS: Readonly<Record<Hash, { readonly hash: number; readonly mgf: number }>> = {
  sha1: { hash: 0x220, mgf: 1 },
  sha256: { hash: 0x250, mgf: 2 },
  sha384: { hash: 0x260, mgf: 3 },
  sha512: { hash: 0x270, mgf: 4 },
};

/** Bytes of a curve's order, where a hash may be longer. */
const ORDER_LENGTH: Readonly<Record<string, number>> = {
  secp224r1: 28,
  prime256v1: 32,
  secp256k1: 32,
  brainpoolP256r1: 32,
  secp384r1: 48,
  brainpoolP384r1: 48,
};

/**
 * The schemes under which a key can sign.
 *
 * @param publicKey - The certificate's.
 * @param mechanisms - Those of the token that sign.
 * @param allowed - The key's `CKA_ALLOWED_MECHANISMS`, if it has the attribute.
 */
export function schemesOf(
  publicKey: KeyObject,
  mechanisms: readonly number[],
  allowed: readonly number[] | undefined,
): readonly SignatureScheme[] {
  const usable = mechanisms.filter((mechanism) => allowed?.includes(mechanism) ?? true);
  return (Object.keys(METHODS) as SignatureScheme[]).filter((scheme) => {
    const method = METHODS[scheme];
    return (
      method !== undefined &&
      suits(method, publicKey) &&
      mechanismsOf(method).some((mechanism) => usable.includes(mechanism))
    );
  });
}

/** What a token may be asked for, for a signature of `data` under `scheme`; the best first. */
export function variantsOf(
  publicKey: KeyObject,
  scheme: SignatureScheme,
  data: Uint8Array,
): readonly SigningVariant[] {
  const method = METHODS[scheme];
  if (method === undefined || !suits(method, publicKey)) {
    throw new TLSClientCertError(
      'ERR_PKCS11_OBJECT',
      `A key of type ${publicKey.asymmetricKeyType} cannot sign under ${scheme}. Ask only for one ` +
        "of the signer's schemes.",
      { input: 'scheme', reason: 'scheme-unsuitable' },
    );
  }
  if (method.is === 'eddsa') return [{ mechanism: CKM.eddsa, data: new Uint8Array(data) }];
  const digest = digestOf(method.hash, data);
  if (method.is === 'ecdsa') {
    // Longer ones are to be cut by the token, and some do not.
    const length = ORDER_LENGTH[publicKey.asymmetricKeyDetails?.namedCurve ?? ''];
    return [{ mechanism: CKM.ecdsa, data: digest.subarray(0, length) }];
  }
  const bits = modulusBits(publicKey);
  if (method.is === 'pkcs1') {
    const info = digestInfo(method.hash, digest);
    return [
      { mechanism: CKM.rsaPkcs, data: info },
      { mechanism: CKM.rsaX509, data: encodePkcs1(info, bits) },
    ];
  }
  const pss = { ...PSS_NUMBERS[method.hash], saltLength: HASH_LENGTH[method.hash] };
  return [
    { mechanism: CKM.rsaPkcsPss, pss, data: digest },
    { mechanism: CKM.rsaX509, data: encodePss(method.hash, digest, bits) },
  ];
}

/** What the token returned, in the form in which TLS carries it. */
export function finished(
  publicKey: KeyObject,
  mechanism: number,
  signature: Uint8Array,
): Uint8Array {
  if (mechanism === CKM.ecdsa) return encodeEcdsaSignature(signature);
  if (mechanism === CKM.eddsa) return signature;
  // A token may leave out zeros at the front.
  const padded = new Uint8Array(Math.ceil(modulusBits(publicKey) / 8));
  if (signature.length > padded.length) return signature;
  padded.set(signature, padded.length - signature.length);
  return padded;
}

function suits(method: Method, publicKey: KeyObject): boolean {
  const type = publicKey.asymmetricKeyType;
  const details = publicKey.asymmetricKeyDetails ?? {};
  switch (method.is) {
    case 'pkcs1':
      return type === 'rsa' && hasRoomForPkcs1(method.hash, modulusBits(publicKey));
    case 'pss':
      return type === 'rsa' && hasRoomForPss(method.hash, modulusBits(publicKey));
    case 'pss-key':
      return (
        type === 'rsa-pss' &&
        hasRoomForPss(method.hash, modulusBits(publicKey)) &&
        // Such a key may be restricted to one hash, and a least salt (RFC 4055, section 3.1).
        (details.hashAlgorithm ?? method.hash) === method.hash &&
        (details.mgf1HashAlgorithm ?? method.hash) === method.hash &&
        (details.saltLength ?? 0) <= HASH_LENGTH[method.hash]
      );
    case 'ecdsa':
      return type === 'ec' && (method.curve === undefined || details.namedCurve === method.curve);
    case 'eddsa':
      return type === method.type;
  }
}

function mechanismsOf(method: Method): readonly number[] {
  switch (method.is) {
    case 'pkcs1':
      return [CKM.rsaPkcs, CKM.rsaX509];
    case 'pss':
    case 'pss-key':
      return [CKM.rsaPkcsPss, CKM.rsaX509];
    case 'ecdsa':
      return [CKM.ecdsa];
    case 'eddsa':
      return [CKM.eddsa];
  }
}

function modulusBits(publicKey: KeyObject): number {
  return publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
}
