/**
 * Finds the identities at hand: in files, in folders, on tokens.
 */
import { resolve } from 'node:path';
import { TLSClientCertError } from '../../errors';
import type { Pkcs11Module } from '../../signers/pkcs11/module';
import { assemble } from './assemble';
import { readFiles } from './files';
import type { Asked, Identity, Problem } from './identity';
import { findOnTokens } from './tokens';

export {
  type Asked,
  type CredentialWanted,
  Identity,
  type Needs,
  type PassphraseCallback,
  type PassphraseRequest,
  type Problem,
} from './identity';

export interface FindOptions extends Asked {
  /** The PKCS#11 module for `pkcs11:` URIs that name none. Default: the system's. */
  readonly module?: string | undefined;
}

/** What was found, and what stood in the way. */
export interface FoundIdentities {
  readonly identities: readonly Identity[];
  /** In the order of the sources. They do not keep the others from being found. */
  readonly problems: readonly Problem[];
  /** Closes the PKCS#11 modules. The identities on tokens are of no use any more. */
  close(): Promise<void>;
}

const URI = /^pkcs11:/i;

/**
 * Looks at each source in turn. No secret is asked for: that is done by `identity.credential()`, and
 * for PINs by the connection that wants the signature.
 *
 * @param sources - Files (PEM, DER, PFX), folders (not those in them), `pkcs11:` URIs (RFC 7512). What
 *   several of them lead to is taken once.
 */
export async function findIdentities(
  sources: readonly string[],
  options: FindOptions = {},
): Promise<FoundIdentities> {
  const identities = new Map<string, Identity>();
  const problems: Problem[] = [];
  const modules: Pkcs11Module[] = [];
  for (const source of new Set(sources)) {
    if (!URI.test(source)) {
      const found = assemble(await readFiles(source), options.passphrase);
      problems.push(...found.problems);
      for (const one of found.identities) add(identities, resolve(one.where), one);
      continue;
    }
    try {
      const found = await findOnTokens(source, options);
      modules.push(found.module);
      for (const one of found.identities) add(identities, one.where, one);
    } catch (error) {
      if (!(error instanceof TLSClientCertError)) throw error;
      problems.push({ source: shown(source), named: true, error });
    }
  }
  const close = async () => {
    await Promise.all(modules.map((module) => module.close()));
  };
  return { identities: [...identities.values()], problems, close };
}

/** Of one file there may be several. */
function add(identities: Map<string, Identity>, where: string, identity: Identity): void {
  const key = `${where}\0${identity.certificate?.fingerprint256 ?? ''}`;
  if (!identities.has(key)) identities.set(key, identity);
}

/** A source as it may be shown: a URI may bring a PIN along. */
export function shown(uri: string): string {
  return uri.replace(/pin-value=[^&]*/gi, 'pin-value=…');
}
