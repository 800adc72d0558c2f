/**
 * Records of TLS 1.2 with AES-128-GCM (RFC 5288): adds some to a direction, and numbers those behind
 * them anew.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/** The one suite that is known here, by OpenSSL's name. */
export const CIPHER = 'ECDHE-ECDSA-AES128-GCM-SHA256';

const CHANGE_CIPHER_SPEC = 20;
const KEY_LENGTH = 16;
const SALT_LENGTH = 4;
const NONCE_LENGTH = 8;
const TAG_LENGTH = 16;

/** What the server seals with. */
export class ServerKeys {
  readonly #key: Buffer;
  readonly #salt: Buffer;

  constructor(masterSecret: Buffer, clientRandom: Buffer, serverRandom: Buffer) {
    const seed = Buffer.concat([Buffer.from('key expansion'), serverRandom, clientRandom]);
    // The client's key, the server's, the client's salt, the server's (RFC 5246 section 6.3).
    const block = expand(masterSecret, seed, 2 * KEY_LENGTH + 2 * SALT_LENGTH);
    this.#key = block.subarray(KEY_LENGTH, 2 * KEY_LENGTH);
    this.#salt = block.subarray(-SALT_LENGTH);
  }

  seal(sequence: bigint, contentType: number, content: Buffer): Buffer {
    const nonce = Buffer.alloc(NONCE_LENGTH);
    // OpenSSL begins anywhere and counts up; this is far from there.
    nonce.writeBigUInt64BE(~sequence & 0xffffffffffffffffn);
    const cipher = createCipheriv('aes-128-gcm', this.#key, this.#iv(nonce));
    cipher.setAAD(additional(sequence, contentType, content.length));
    const sealed = Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
    const header = Buffer.of(contentType, 3, 3, 0, 0);
    header.writeUInt16BE(NONCE_LENGTH + sealed.length, 3);
    return Buffer.concat([header, nonce, sealed]);
  }

  /** Throws when the record was not sealed with these keys and this number. */
  open(sequence: bigint, record: Buffer): Buffer {
    const body = record.subarray(5);
    const sealed = body.subarray(NONCE_LENGTH, -TAG_LENGTH);
    const iv = this.#iv(body.subarray(0, NONCE_LENGTH));
    const cipher = createDecipheriv('aes-128-gcm', this.#key, iv, { authTagLength: TAG_LENGTH });
    cipher.setAAD(additional(sequence, record.readUInt8(0), sealed.length));
    cipher.setAuthTag(body.subarray(-TAG_LENGTH));
    return Buffer.concat([cipher.update(sealed), cipher.final()]);
  }

  #iv(nonce: Buffer): Buffer {
    return Buffer.concat([this.#salt, nonce]);
  }
}

function additional(sequence: bigint, contentType: number, length: number): Buffer {
  const bytes = Buffer.alloc(13);
  bytes.writeBigUInt64BE(sequence);
  bytes.set([contentType, 3, 3], 8);
  bytes.writeUInt16BE(length, 11);
  return bytes;
}

/** P_SHA256 (RFC 5246 section 5). */
function expand(secret: Buffer, seed: Buffer, length: number): Buffer {
  const hmac = (bytes: Buffer) => createHmac('sha256', secret).update(bytes).digest();
  const blocks: Buffer[] = [];
  let a = seed;
  while (blocks.length * 32 < length) {
    a = hmac(a);
    blocks.push(hmac(Buffer.concat([a, seed])));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** What a TLS 1.2 server sends, up to the end of its first renegotiation. */
export class Direction12 {
  readonly #keys: () => ServerKeys | undefined;
  /** Plain until the ChangeCipherSpec, sealed until the next one, and nobody's business then. */
  #epoch: 'plain' | 'sealed' | 'renegotiated' = 'plain';
  #arrived = 0n;
  #left = 0n;

  constructor(keys: () => ServerKeys | undefined) {
    this.#keys = keys;
  }

  /** What to pass on in place of this record: itself, or itself sealed anew. */
  pass(record: Buffer): Buffer {
    const isChange = record[0] === CHANGE_CIPHER_SPEC;
    if (this.#epoch === 'plain') {
      if (isChange) this.#epoch = 'sealed';
      return record;
    }
    if (this.#epoch === 'renegotiated') return record;
    const [arrived, left] = [this.#arrived, this.#left];
    this.#arrived += 1n;
    this.#left += 1n;
    if (isChange) this.#epoch = 'renegotiated';
    if (arrived === left) return record;
    const keys = this.#known();
    return keys.seal(left, record.readUInt8(0), keys.open(arrived, record));
  }

  /** A record that the server did not send, with the number that is next. */
  forge(contentType: number, content: Buffer): Buffer {
    if (this.#epoch !== 'sealed') throw new Error(`a ${this.#epoch} record cannot be forged`);
    const forged = this.#known().seal(this.#left, contentType, content);
    this.#left += 1n;
    return forged;
  }

  #known(): ServerKeys {
    const keys = this.#keys();
    if (keys === undefined) throw new Error('the keys to forge a record with are not logged');
    return keys;
  }
}
