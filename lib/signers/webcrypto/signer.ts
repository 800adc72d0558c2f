/**
 * A CryptoKey in the place of a private key: it need not be extractable, and its bytes are never seen.
 */
import { subtle, type webcrypto } from 'node:crypto';
import { types } from 'node:util';
import { invalidArgType, invalidArgValue } from '../../errors';
import { bare } from '../../given';
import type { SignatureScheme } from '../../signature-schemes';
import type { Signer } from '../../signer';
import { encodeEcdsaSignature } from '../ecdsa';

/** What `subtle.sign()` is told for a scheme. */
type Algorithm = Parameters<typeof subtle.sign>[0];
type Plan = ReadonlyMap<SignatureScheme, Algorithm>;

/** Length of a hash in bytes, and the end of the names of its schemes. */
const HASHES: Readonly<Record<string, readonly [length: number, suffix: 256 | 384 | 512]>> = {
  'SHA-256': [32, 256],
  'SHA-384': [48, 384],
  'SHA-512': [64, 512],
};

/** The schemes of ECDSA. On TLS 1.2 each goes with any curve, on TLS 1.3 with its own alone. */
const ECDSA: Plan = new Map([
  ['ecdsa_secp256r1_sha256', bare({ name: 'ECDSA', hash: 'SHA-256' })],
  ['ecdsa_secp384r1_sha384', bare({ name: 'ECDSA', hash: 'SHA-384' })],
  ['ecdsa_secp521r1_sha512', bare({ name: 'ECDSA', hash: 'SHA-512' })],
]);

/**
 * A signer for a key of the Web Crypto API, as `subtle.generateKey()` or `subtle.importKey()` of this
 * process made it. The certificate must be the one that was issued for it.
 *
 * The key settles what it can sign, and the signer declares it:
 *
 * | `key.algorithm` | `schemes` |
 * |---|---|
 * | RSASSA-PKCS1-v1_5, bound to a hash | `rsa_pkcs1_sha256` (`384`, `512`): TLS 1.2 only |
 * | RSA-PSS, bound to a hash | `rsa_pss_rsae_sha256` (`384`, `512`), and `rsa_pss_pss_…` for a certificate whose key is RSASSA-PSS |
 * | ECDSA on P-256, P-384, P-521 | the three `ecdsa_secp…`: TLS 1.2 takes any hash with any curve, TLS 1.3 the curve's own |
 * | Ed25519, Ed448 | `ed25519`, `ed448` |
 *
 * One RSA key for both versions has to be imported twice, as RSA-PSS for TLS 1.3 and, for a TLS 1.2
 * server without RSA-PSS, as RSASSA-PKCS1-v1_5.
 *
 * On TLS 1.2 an RSA-PSS key needs a server that does not prefer RSASSA-PKCS1-v1_5 with the same hash:
 * OpenSSL would pick that, and the connection fails with `ERR_CREDENTIAL_UNUSABLE`, `reason`
 * `'scheme-not-declared'`.
 *
 * A signature once begun is not cut short by the signal: Web Crypto has no way to.
 *
 * @param key - A private key with the usage `'sign'`; extractable or not.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`: no CryptoKey of Node's; `ERR_INVALID_ARG_VALUE`: not private,
 *   not for signing, or of an algorithm or hash that TLS has no scheme for. (SHA-1 counts as
 *   none: RFC 9155.)
 * @see RFC 8446, section 4.2.3; Web Cryptography API, section 14.3.3 (`sign`)
 */
export function webCryptoSigner(key: webcrypto.CryptoKey): Signer {
  // Not by `instanceof`: the key may come from another realm, such as a `vm` context.
  if (!types.isCryptoKey(key)) throw invalidArgType('key', 'an instance of CryptoKey', key);
  if (key.type !== 'private') {
    throw invalidArgValue('key', `must be a private key, not a ${key.type} one`);
  }
  const plan = planOf(key.algorithm);
  if (!key.usages.includes('sign')) {
    throw invalidArgValue(
      'key',
      "lacks the usage 'sign': generate or import it with ['sign'] among its usages",
    );
  }
  return {
    schemes: [...plan.keys()],
    async sign(data, scheme) {
      const algorithm = plan.get(scheme);
      if (algorithm === undefined) {
        throw invalidArgValue('scheme', `must be one of ${[...plan.keys()].join(', ')}`);
      }
      const signature = new Uint8Array(await subtle.sign(algorithm, key, data));
      return plan === ECDSA ? encodeEcdsaSignature(signature) : signature;
    },
  };
}

interface KeyAlgorithm {
  readonly name: string;
  readonly hash?: { readonly name: string };
}

function planOf(algorithm: KeyAlgorithm): Plan {
  const { name } = algorithm;
  switch (name) {
    case 'RSASSA-PKCS1-v1_5': {
      const [, bits] = hashOf(algorithm);
      return new Map([[`rsa_pkcs1_sha${bits}` as const, bare({ name })]]);
    }
    case 'RSA-PSS': {
      const [saltLength, bits] = hashOf(algorithm);
      // The signatures are the same; which of the two it is called, the certificate decides.
      return new Map<SignatureScheme, Algorithm>([
        [`rsa_pss_rsae_sha${bits}`, bare({ name, saltLength })],
        [`rsa_pss_pss_sha${bits}`, bare({ name, saltLength })],
      ]);
    }
    case 'ECDSA':
      return ECDSA;
    case 'Ed25519':
      return new Map([['ed25519' as const, bare({ name })]]);
    case 'Ed448':
      // Node 20 copies this into an object of its own, which would find a context of everybody's.
      return new Map([['ed448' as const, bare({ name, context: new Uint8Array() })]]);
    default:
      throw invalidArgValue(
        'key',
        `is for ${name}; TLS signs by RSASSA-PKCS1-v1_5, RSA-PSS, ECDSA, Ed25519 or Ed448`,
      );
  }
}

function hashOf(algorithm: KeyAlgorithm) {
  const hash = HASHES[algorithm.hash?.name ?? ''];
  if (hash !== undefined) return hash;
  throw invalidArgValue(
    'key',
    `is bound to ${algorithm.hash?.name ?? 'no hash'}: generate or import it with SHA-256, SHA-384 or SHA-512 as its hash`,
  );
}
