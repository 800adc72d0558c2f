/**
 * Why a signature does not verify. Whoever writes a signer meets the same few mistakes, and their bytes
 * show most of them.
 */
import { constants, createHash, type KeyObject, publicDecrypt, verify } from 'node:crypto';
import { isSequence } from './signers/ecdsa';

/** What should have been signed, and how. */
export interface WrongSignature {
  readonly signature: Uint8Array;
  /** The scheme's IANA name. */
  readonly scheme: string;
  readonly data: Uint8Array;
  readonly publicKey: KeyObject;
}

/** Sentences that name the mistake, as far as it can be told. */
export function explainWrongSignature(wrong: WrongSignature): string {
  return ofItsBytes(wrong) ?? ofItsMaking(wrong) ?? UNEXPLAINED;
}

const UNEXPLAINED =
  'Does the signer use the key that belongs to the certificate, the hash of the scheme, and the data as it came?';

const EDDSA_BYTES: Readonly<Record<string, number>> = { ed25519: 64, ed448: 114 };
const CURVE_BYTES: Readonly<Record<string, number>> = {
  prime256v1: 32,
  secp384r1: 48,
  secp521r1: 66,
};

function ofItsBytes({ signature, publicKey }: WrongSignature): string | undefined {
  const { length } = signature;
  if (length === 0) return 'It is empty.';
  if (/^[\w+/-]{32,}={0,2}\s*$/.test(Buffer.from(signature).toString('latin1'))) {
    return 'It is text: base64 or hexadecimal digits have to be decoded first.';
  }
  const type = publicKey.asymmetricKeyType as string;
  const { modulusLength = 0, namedCurve = '' } = publicKey.asymmetricKeyDetails ?? {};
  if (type === 'ec') {
    if (isSequence(signature)) return undefined;
    return length === 2 * (CURVE_BYTES[namedCurve] ?? 0)
      ? 'It is r and s side by side, and has to be in DER: encodeEcdsaSignature() makes it.'
      : 'It is not in DER, as ECDSA signatures have to be. (encodeEcdsaSignature() makes it of r and s.)';
  }
  const expected = EDDSA_BYTES[type] ?? Math.ceil(modulusLength / 8);
  return length === expected
    ? undefined
    : `It has ${length} bytes, and one by this key has ${expected}.`;
}

const HASHES = ['sha256', 'sha384', 'sha512', 'sha1'];

function ofItsMaking(wrong: WrongSignature): string | undefined {
  const hash = /sha\d+$/.exec(wrong.scheme)?.[0];
  if (hash === undefined) {
    const prehashed = HASHES.find((name) => verifies(wrong, { data: digest(name, wrong.data) }));
    return prehashed && `It is a signature of the ${prehashed} of the data: ${DATA_ITSELF}`;
  }
  if (verifies(wrong, { hash, data: digest(hash, wrong.data) })) {
    return `It is a signature of a hash of the hash: the signer hashed the data, and the key hashed that once more.`;
  }
  const other = HASHES.find((name) => name !== hash && verifies(wrong, { hash: name }));
  if (other !== undefined) return `It was made with ${other} in place of ${hash}.`;
  return wrong.publicKey.asymmetricKeyType === 'rsa' ? ofItsPadding(wrong, hash) : undefined;
}

const DATA_ITSELF = 'the key has to sign the data itself.';

function ofItsPadding(wrong: WrongSignature, hash: string): string | undefined {
  const isPss = wrong.scheme.startsWith('rsa_pss_');
  const found = HASHES.find((name) => verifies(wrong, { hash: name, isPss: !isPss }));
  if (found !== undefined) {
    const [made, wanted] = isPss ? ['PKCS#1 v1.5', 'PSS'] : ['PSS', 'PKCS#1 v1.5'];
    return `It was made with the padding of ${made} in place of ${wanted}.`;
  }
  if (isPss) {
    return verifies(wrong, { hash, anySalt: true })
      ? 'Its salt has to be as long as the hash, and is not.'
      : undefined;
  }
  return padded(wrong)?.equals(digest(hash, wrong.data))
    ? 'The hash was padded without its DigestInfo (RFC 8017, section 9.2).'
    : undefined;
}

/** What is in the padding of PKCS#1 v1.5. */
function padded({ publicKey, signature }: WrongSignature): Buffer | undefined {
  try {
    return publicDecrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
  } catch {
    return undefined;
  }
}

interface Otherwise {
  readonly data?: Buffer;
  readonly hash?: string;
  readonly isPss?: boolean;
  readonly anySalt?: boolean;
}

/** Whether it is one that was made in another way. */
function verifies(wrong: WrongSignature, otherwise: Otherwise): boolean {
  const { hash, data = wrong.data, anySalt = false } = otherwise;
  const { isPss = wrong.scheme.startsWith('rsa_pss_') } = otherwise;
  const key = {
    key: wrong.publicKey,
    ...(isPss && {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: anySalt ? constants.RSA_PSS_SALTLEN_AUTO : constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  };
  try {
    return verify(hash, data, key, wrong.signature);
  } catch {
    return false;
  }
}

function digest(hash: string, data: Uint8Array): Buffer {
  return createHash(hash).update(data).digest();
}
