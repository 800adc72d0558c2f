/**
 * RSA encodings of what is signed, for tokens that pad not at all or not enough (RFC 8017, section 9).
 */
import { createHash, randomBytes } from 'node:crypto';
import { TLSClientCertError } from '../../errors';

/** The hashes of TLS signature schemes. */
export type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** Their lengths in bytes. */
export const HASH_LENGTH: Readonly<Record<Hash, number>> = {
  sha1: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
};

/** The last arcs of their object identifiers, each ready for DER. */
const HASH_OID: Readonly<Record<Hash, readonly number[]>> = {
  sha1: [0x2b, 0x0e, 0x03, 0x02, 0x1a],
  sha256: [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
  sha384: [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
  sha512: [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
};

export function digestOf(hash: Hash, data: Uint8Array): Buffer {
  return createHash(hash).update(data).digest();
}

/** The DER of a DigestInfo: what `CKM_RSA_PKCS` pads and signs (RFC 8017, section 9.2). */
export function digestInfo(hash: Hash, digest: Uint8Array): Buffer {
  const oid = [0x06, HASH_OID[hash].length, ...HASH_OID[hash]];
  const algorithm = [0x30, oid.length + 2, ...oid, 0x05, 0x00];
  const octets = [0x04, digest.length, ...digest];
  return Buffer.from([0x30, algorithm.length + octets.length, ...algorithm, ...octets]);
}

/** EMSA-PKCS1-v1_5, as long as the modulus. */
export function encodePkcs1(info: Uint8Array, modulusBits: number): Buffer {
  const length = Math.ceil(modulusBits / 8);
  if (length < info.length + 11) throw tooSmall(modulusBits);
  const filling = Buffer.alloc(length - info.length - 3, 0xff);
  return Buffer.concat([Buffer.from([0, 1]), filling, Buffer.from([0]), info]);
}

/**
 * EMSA-PSS with MGF1 and a salt as long as the hash (RFC 8446, section 4.2.3), as long as the
 * modulus.
 */
export function encodePss(
  hash: Hash,
  digest: Uint8Array,
  modulusBits: number,
  salt: Uint8Array = randomBytes(HASH_LENGTH[hash]),
): Buffer {
  const bits = modulusBits - 1;
  const length = Math.ceil(bits / 8);
  if (length < digest.length + salt.length + 2) throw tooSmall(modulusBits);
  const h = digestOf(hash, Buffer.concat([Buffer.alloc(8), digest, salt]));
  const db = Buffer.alloc(length - h.length - 1);
  db[db.length - salt.length - 1] = 1;
  db.set(salt, db.length - salt.length);
  const masked = xor(db, mgf1(hash, h, db.length));
  masked[0] = (masked[0] as number) & (0xff >> (8 * length - bits));
  // A modulus of 8n + 1 bits is a byte longer than the encoding.
  const front = Buffer.alloc(Math.ceil(modulusBits / 8) - length);
  return Buffer.concat([front, masked, h, Buffer.from([0xbc])]);
}

/** Whether a key has room for PSS with this hash and a salt of its length. */
export function hasRoomForPss(hash: Hash, modulusBits: number): boolean {
  return Math.ceil((modulusBits - 1) / 8) >= 2 * HASH_LENGTH[hash] + 2;
}

/** Whether a key has room for PKCS #1 v1.5 with this hash. */
export function hasRoomForPkcs1(hash: Hash, modulusBits: number): boolean {
  const info = digestInfo(hash, new Uint8Array(HASH_LENGTH[hash]));
  return Math.ceil(modulusBits / 8) >= info.length + 11;
}

function mgf1(hash: Hash, seed: Uint8Array, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 0; blocks.length * HASH_LENGTH[hash] < length; counter += 1) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(counter);
    blocks.push(digestOf(hash, Buffer.concat([seed, number])));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] as number)));
}

function tooSmall(modulusBits: number): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_PKCS11_OBJECT',
    `An RSA key of ${modulusBits} bits is too small for this signature scheme. Use a larger key, ` +
      'or declare only the schemes that fit.',
    { reason: 'key-too-small' },
  );
}
