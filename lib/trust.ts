/**
 * Whom a client trusts by default: the authorities that Node itself would use, parsed once.
 */
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { binding, type NativeTrustStore } from './binding';
import { messageOf } from './errors';
import { contextError, translated } from './failures';
import { bare } from './given';

interface CachedTrust {
  /** The list that the store was made from; Node hands out the same array until it changes. */
  source: readonly string[];
  store: NativeTrustStore;
}

let cached: CachedTrust | undefined;

export function defaultTrust(): NativeTrustStore {
  const source = defaultAuthorities();
  if (cached === undefined || cached.source !== source) cached = { source, store: parse(source) };
  return cached.store;
}

/** @param authorities - The caller's own; without them, `base` is trusted, and these lists bind it. */
export function customTrust(
  authorities: Uint8Array[] | undefined,
  crls: Uint8Array[],
  base: NativeTrustStore | undefined,
): NativeTrustStore {
  if (base !== undefined && crls.length === 0) return base;
  return translated(
    () => new binding.TrustStore(bare({ authorities: authorities ?? [], crls, base })),
    contextError,
  );
}

function parse(authorities: readonly string[]): NativeTrustStore {
  const list = authorities.length === 0 ? [] : [Buffer.from(authorities.join('\n'))];
  const make = (base?: NativeTrustStore) =>
    new binding.TrustStore(bare({ authorities: list, crls: [], base }));
  return translated(() => (usesOpenSSLPaths() ? make(openSSLPaths()) : make()), contextError);
}

/** The files and folders that OpenSSL was built to use, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. */
function openSSLPaths(): NativeTrustStore {
  return new binding.TrustStore(bare({ authorities: [], crls: [], system: true }));
}

/** `node --use-openssl-ca`: they take the place of the bundled authorities, not of NODE_EXTRA_CA_CERTS. */
function usesOpenSSLPaths(): boolean {
  const flags = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)];
  // As Node reads them.
  return flags.some((flag) => flag.replaceAll('_', '-') === '--use-openssl-ca');
}

let beforeNode22: readonly string[] | undefined;

function defaultAuthorities(): readonly string[] {
  // Since Node 22.15; it minds NODE_EXTRA_CA_CERTS, --use-system-ca and setDefaultCACertificates.
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] };
  if (getCACertificates !== undefined) return getCACertificates('default');
  beforeNode22 ??= [...(usesOpenSSLPaths() ? [] : tls.rootCertificates), ...extraAuthorities()];
  return beforeNode22;
}

function extraAuthorities(): string[] {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  if (file === undefined || file === '') return [];
  try {
    const text = readFileSync(file, 'latin1');
    // What cannot be parsed must not take the bundled roots with it.
    new binding.TrustStore(bare({ authorities: [Buffer.from(text, 'latin1')], crls: [] }));
    return [text];
  } catch (error) {
    // Node, too, only warns.
    process.emitWarning(`Ignoring extra certs from \`${file}\`: ${messageOf(error)}`);
    return [];
  }
}
