/**
 * What a file holds: certificates, keys, a PFX, or nothing of that kind.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';

/** A private key as it stands in a file; `publicKey` in DER, to tell which certificate is its own. */
export type KeyPart =
  | { readonly is: 'plain'; readonly file: string; readonly key: KeyObject; publicKey: string }
  | { readonly is: 'encrypted'; readonly file: string; readonly bytes: Buffer };

export interface Parts {
  readonly file: string;
  readonly certificates: readonly X509Certificate[];
  readonly keys: readonly KeyPart[];
  readonly pfx: Buffer | undefined;
  /** What looked like one of these and cannot be read, each as the end of a sentence. */
  readonly damaged: readonly string[];
  readonly isEmpty: boolean;
}

const CERTIFICATE = /^(X509 |TRUSTED )?CERTIFICATE$/;
const KEY = /^((RSA|EC|DSA|ENCRYPTED) )?PRIVATE KEY$/;
/** RFC 1421, section 4.6.1.1, as OpenSSL's traditional format has it. */
const ENCRYPTED = /^Proc-Type: *4, *ENCRYPTED/im;

const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;

/** Takes a file apart. What belongs together is not looked at here. */
export function partsOf(file: string, bytes: Buffer): Parts {
  const parts = { file, certificates: [], keys: [], pfx: undefined, damaged: [], isEmpty: false };
  if (bytes.length === 0) return { ...parts, isEmpty: true };
  if (bytes[0] === SEQUENCE) return { ...parts, ...fromDer(file, bytes) };
  return { ...parts, ...fromPem(file, textOf(bytes)) };
}

/** Whether anything may be found in what begins like this. */
export function mayBeOne(beginning: Buffer): boolean {
  return beginning[0] === SEQUENCE || textOf(beginning).includes('-----BEGIN ');
}

/** What a certificate and its key have in common, for comparison. */
export function publicKeyOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64');
}

/** Windows writes text as UTF-16, and begins it with a mark. */
function textOf(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString('utf16le');
  return bytes.toString('latin1');
}

function fromPem(file: string, text: string): Partial<Parts> {
  const certificates: X509Certificate[] = [];
  const keys: KeyPart[] = [];
  const damaged: string[] = [];
  for (const { label, block } of blocksOf(text)) {
    if (CERTIFICATE.test(label)) {
      const certificate = block === undefined ? undefined : certificateOf(block);
      if (certificate === undefined) damaged.push('a certificate that cannot be read');
      else certificates.push(certificate);
    } else if (KEY.test(label)) {
      const key = block === undefined ? undefined : keyOf(file, label, block);
      if (key === undefined) damaged.push('a private key that cannot be read');
      else keys.push(key);
    } else if (label === 'OPENSSH PRIVATE KEY') {
      damaged.push('a key in the format of OpenSSH, which is for no certificate of TLS');
    }
  }
  return { certificates, keys, damaged };
}

/** RFC 7468, with anything between the blocks. One that is cut short has no `block` and is the last. */
function* blocksOf(text: string): Iterable<{ label: string; block: string | undefined }> {
  const begin = /-----BEGIN ([A-Z0-9 ]{1,40})-----/g;
  for (let start = begin.exec(text); start !== null; start = begin.exec(text)) {
    const label = start[1] as string;
    const last = `-----END ${label}-----`;
    const end = text.indexOf(last, begin.lastIndex);
    if (end < 0) return yield { label, block: undefined };
    begin.lastIndex = end + last.length;
    yield { label, block: text.slice(start.index, begin.lastIndex) };
  }
}

function certificateOf(bytes: string | Buffer): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(bytes);
    // Throws for a key of a kind that OpenSSL does not know.
    return certificate.publicKey && certificate;
  } catch {
    return undefined;
  }
}

function keyOf(file: string, label: string, block: string): KeyPart | undefined {
  if (label.startsWith('ENCRYPTED') || ENCRYPTED.test(block)) {
    return { is: 'encrypted', file, bytes: Buffer.from(block, 'latin1') };
  }
  return plainKey(file, () => createPrivateKey(block));
}

function plainKey(file: string, read: () => KeyObject): KeyPart | undefined {
  try {
    const key = read();
    return { is: 'plain', file, key, publicKey: publicKeyOf(createPublicKey(key)) };
  } catch {
    return undefined;
  }
}

function fromDer(file: string, bytes: Buffer): Partial<Parts> {
  const certificate = certificateOf(bytes);
  if (certificate !== undefined) return { certificates: [certificate] };
  const inside = bytes.subarray(element(bytes, 0).start);
  // version v3: RFC 7292, section 4.
  if (inside.subarray(0, 3).equals(Buffer.from([0x02, 0x01, 0x03]))) return { pfx: bytes };
  for (const type of ['pkcs8', 'pkcs1', 'sec1'] as const) {
    const key = plainKey(file, () => createPrivateKey({ key: bytes, format: 'der', type }));
    if (key !== undefined) return { keys: [key] };
  }
  // EncryptedPrivateKeyInfo: an algorithm and an OCTET STRING (RFC 5958, section 3).
  const isEncrypted = inside[0] === SEQUENCE && inside[element(inside, 0).end] === OCTET_STRING;
  return isEncrypted ? { keys: [{ is: 'encrypted', file, bytes }] } : {};
}

/** Where the content is of what begins at `at`. PFX are also written in BER, without a length. */
function element(bytes: Buffer, at: number): { start: number; end: number } {
  const first = bytes[at + 1] ?? 0;
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const digits = first & 0x7f;
  const start = at + 2 + digits;
  const isKnown = digits > 0 && digits <= 4 && start <= bytes.length;
  const length = isKnown ? bytes.readUIntBE(at + 2, digits) : 0;
  return { start, end: start + length };
}
