/**
 * Whether the server is who it should be: its chain by OpenSSL, its name by `checkServerIdentity`.
 */
import { X509Certificate } from 'node:crypto';
import tls, { type DetailedPeerCertificate, type PeerCertificate } from 'node:tls';
import { types } from 'node:util';
import type { NativeChainError } from './binding';
import { describe, messageOf, TLSClientCertError } from './errors';
import { legacyCertificate } from './peer-certificate';

/** X509_V_ERR_HOSTNAME_MISMATCH: OpenSSL makes the alert bad_certificate of it. */
const HOSTNAME_MISMATCH = 62;

export interface Refusal {
  readonly error: Error;
  /** For `authorizationError`. */
  readonly code: string;
  /** X509_V_ERR_…, which decides on the alert. */
  readonly number: number;
  /** Refuses the server even without `rejectUnauthorized`. */
  readonly fatal: boolean;
}

export interface IdentityOptions {
  hostname: string;
  checkServerIdentity: (hostname: string, certificate: PeerCertificate) => Error | undefined;
}

/** The server's certificate: the leaf as it came, and in the form that a check is given. */
export interface PresentedCertificate {
  leaf: () => Buffer | undefined;
  /** The legacy object, linked to its issuers. */
  detailed: () => DetailedPeerCertificate;
}

/** `null` when the server is accepted. The name is looked at only when the chain is good. */
export function judgeServer(
  chainError: NativeChainError | null,
  options: IdentityOptions,
  presented: PresentedCertificate,
): Refusal | null {
  if (chainError !== null) {
    const { code, message, number } = chainError;
    return { error: new TLSClientCertError(code, message), code, number, fatal: false };
  }
  try {
    const result = check(options, presented);
    if (!result) return null;
    const error = types.isNativeError(result) ? result : notAnError(result);
    const code = (error as NodeJS.ErrnoException).code ?? error.message;
    return { error, code, number: HOSTNAME_MISMATCH, fatal: false };
  } catch (thrown) {
    const code = 'ERR_TLS_CHECK_SERVER_IDENTITY';
    const error = new TLSClientCertError(
      code,
      `checkServerIdentity threw instead of returning an error: ${messageOf(thrown)}`,
      { cause: thrown },
    );
    return { error, code, number: HOSTNAME_MISMATCH, fatal: true };
  }
}

function notAnError(result: unknown): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_TLS_CHECK_SERVER_IDENTITY',
    `checkServerIdentity must return an Error or undefined, and at once; it returned ${describe(result)}.`,
  );
}

interface KnownLeaf {
  readonly der: Buffer;
  readonly legacy: PeerCertificate;
}

/** Leaves already parsed, the latest last: most clients meet the same servers again. */
const known: KnownLeaf[] = [];
const KNOWN_LIMIT = 16;

/**
 * The default check looks at the leaf's names alone, so that the chain is parsed only if a program
 * has put a check of its own in its place and looks further.
 */
function check(options: IdentityOptions, presented: PresentedCertificate): unknown {
  const { hostname, checkServerIdentity } = options;
  const byDefault = checkServerIdentity === tls.checkServerIdentity;
  const der = byDefault ? presented.leaf() : undefined;
  if (der === undefined) return checkServerIdentity(hostname, presented.detailed());
  // The verdict is not remembered: a program may have put a check of its own in Node's place, at any time.
  return checkServerIdentity(hostname, certificateForCheck(knownLeaf(der), presented));
}

function knownLeaf(der: Buffer): KnownLeaf {
  const found = known.find((leaf) => leaf.der.equals(der));
  if (found !== undefined) return found;
  const leaf = { der, legacy: legacyCertificate(new X509Certificate(der)) };
  if (known.length >= KNOWN_LIMIT) known.shift();
  known.push(leaf);
  return leaf;
}

function certificateForCheck(
  { legacy }: KnownLeaf,
  { detailed }: PresentedCertificate,
): PeerCertificate {
  const { subject, issuer, infoAccess, raw } = legacy;
  return {
    ...legacy,
    // Copies: whoever checks may change what is passed.
    subject: { ...subject },
    issuer: { ...issuer },
    ...(infoAccess && { infoAccess: { ...infoAccess } }),
    raw: Buffer.from(raw),
    get issuerCertificate() {
      return detailed().issuerCertificate;
    },
  } as PeerCertificate;
}
