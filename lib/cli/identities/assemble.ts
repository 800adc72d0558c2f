/**
 * From the parts in files to identities: which key belongs to which certificate.
 *
 * A key that can be read is matched by its public key, whatever the files are called. An encrypted one
 * tells nothing before its passphrase is known; there, and only there, names decide.
 */

import type { X509Certificate } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { TLSClientCertError } from '../../errors';
import { chainOf } from '../../signers/chain';
import { FileIdentity, type Pair } from './file-identity';
import { type Files, isTelling, stemOf } from './files';
import type { Identity, PassphraseCallback, Problem } from './identity';
import { type KeyPart, type Parts, publicKeyOf } from './parts';
import { PfxIdentity } from './pfx-identity';

type Encrypted = Extract<KeyPart, { is: 'encrypted' }>;

export interface Assembled {
  readonly identities: readonly Identity[];
  readonly problems: readonly Problem[];
}

export function assemble(files: Files, passphrase: PassphraseCallback | undefined): Assembled {
  const identities: Identity[] = [];
  const problems: Problem[] = [...files.problems];
  const pairs = pairsOf(files);
  const named = !files.isFolder;
  for (const parts of files.parts.filter(({ file }) => files.named.has(file))) {
    const fault = (code: string, reason: string, message: string) => {
      const details = { input: parts.file, reason };
      problems.push({
        source: parts.file,
        named,
        error: new TLSClientCertError(code, message, details),
      });
    };
    if (parts.pfx !== undefined) {
      const opened = PfxIdentity.read(parts.file, parts.pfx, passphrase);
      if (opened instanceof PfxIdentity) identities.push(opened);
      else problems.push({ source: parts.file, named, error: opened });
      continue;
    }
    for (const what of parts.damaged) {
      fault('ERR_CREDENTIAL_INVALID', 'damaged', `${parts.file} holds ${what}.`);
    }
    const own = pairs.filter((pair) => isOf(parts, pair));
    const isNews = (pair: Pair) => !identities.some((one) => one.certificate === pair.certificate);
    identities.push(...own.filter(isNews).map((pair) => new FileIdentity(pair, passphrase)));
    if (own.length === 0) unpaired(files, parts, pairs, fault);
  }
  return { identities, problems };
}

/** Whether certificate or key are in this file, be it that the same is in another one, too. */
function isOf({ file, certificates }: Parts, { certificate, keys }: Pair): boolean {
  const { fingerprint256 } = certificate;
  const isHere = certificates.some((one) => one.fingerprint256 === fingerprint256);
  return isHere || keys.some((key) => key.file === file);
}

/** Every certificate once, though it may stand in several files. */
function pairsOf(files: Files): Pair[] {
  const keys = files.parts.flatMap((one) => one.keys);
  const plain = new Map<string, KeyPart>();
  for (const key of keys) {
    if (key.is === 'plain' && !plain.has(key.publicKey)) plain.set(key.publicKey, key);
  }
  const encrypted = keys.filter((key) => key.is === 'encrypted');
  const all = files.parts.flatMap((one) => one.certificates);
  const best = new Map<string, Pair>();
  for (const one of files.parts) {
    for (const [certificate, [first, ...rest]] of keysIn(one, plain, encrypted)) {
      if (first === undefined) continue;
      const chain = chainOf(certificate, [...one.certificates, ...all]);
      const pair: Pair = { file: one.file, certificate, chain, keys: [first, ...rest] };
      const other = best.get(certificate.fingerprint256);
      if (other !== undefined && nearness(files, other) >= nearness(files, pair)) continue;
      best.set(certificate.fingerprint256, pair);
    }
  }
  return [...best.values()];
}

function keysIn(
  one: Parts,
  plain: ReadonlyMap<string, KeyPart>,
  encrypted: readonly Encrypted[],
): (readonly [X509Certificate, readonly KeyPart[]])[] {
  const matched = one.certificates.flatMap((certificate) => {
    const publicKey = publicKeyOf(certificate.publicKey);
    const here = one.keys.find((key) => key.is === 'plain' && key.publicKey === publicKey);
    const key = here ?? plain.get(publicKey);
    return key === undefined ? [] : [[certificate, [key]] as const];
  });
  const leaf = leafOf(one);
  if (matched.length > 0 || leaf === undefined) return matched;
  return [[leaf, mayOpen(one, encrypted)]];
}

/** Which of several files with one certificate is called its place. */
function nearness({ named }: Files, { file, keys: [key] }: Pair): number {
  const isNamesake = stemOf(key.file) === stemOf(file);
  return 4 * Number(named.has(file)) + 2 * Number(key.file === file) + Number(isNamesake);
}

/** The one that a file is about: the first, but for authorities before it. */
function leafOf({ certificates }: Parts): X509Certificate | undefined {
  return certificates.find(({ ca }) => !ca);
}

/** What keys are called that carry no name of their own. */
const USUAL = /^(key|privkey|private|userkey)\.[^.]+$/i;

/** The encrypted keys that are most likely those of a file's certificate. */
function mayOpen({ file }: Parts, encrypted: readonly Encrypted[]): readonly Encrypted[] {
  const near = encrypted.filter((key) => dirname(key.file) === dirname(file));
  const choices = [
    near.filter((key) => key.file === file),
    near.filter((key) => stemOf(key.file) === stemOf(file)),
    near.filter((key) => USUAL.test(basename(key.file))),
  ];
  return choices.find((choice) => choice.length > 0) ?? [];
}

/** Says of a file that gave no identity why, as far as somebody wants to know. */
function unpaired(
  files: Files,
  parts: Parts,
  pairs: readonly Pair[],
  fault: (code: string, reason: string, message: string) => void,
): void {
  const { file, certificates, keys, damaged } = parts;
  const meant = keyMeantFor(files, parts, pairs);
  if (meant !== undefined && certificates.length > 0) {
    const where = meant === file ? 'the private key in it' : `the private key in ${meant}`;
    fault(
      'ERR_CREDENTIAL_MISMATCH',
      'mismatch',
      `${file} and its key do not fit: ${where} belongs to another certificate, their public keys differ. Give the key that the certificate was issued for.`,
    );
    return;
  }
  if (files.isFolder) {
    const isNothing = certificates.length === 0 && keys.length === 0 && damaged.length === 0;
    if (isNothing && isTelling(file)) nothing(parts, fault);
    return;
  }
  if (certificates.length > 0) {
    fault(
      'ERR_CREDENTIAL_INVALID',
      'key-not-found',
      `${file} holds a certificate and no private key, and none that belongs to it lies beside it. Put both into one file, or the key into the same folder.`,
    );
  } else if (keys.length > 0) {
    fault(
      'ERR_CREDENTIAL_INVALID',
      'certificate-not-found',
      `${file} holds a private key and no certificate, and none that it belongs to lies beside it. Put both into one file, or the certificate into the same folder.`,
    );
  } else if (damaged.length === 0) {
    nothing(parts, fault);
  }
}

/** The file with a key that was meant for these certificates, and belongs to none. */
function keyMeantFor(files: Files, parts: Parts, pairs: readonly Pair[]): string | undefined {
  const isIdle = (key: KeyPart) =>
    key.is === 'plain' && !pairs.some(({ keys }) => keys.some((used) => used === key));
  if (parts.keys.some(isIdle)) return parts.file;
  if (leafOf(parts) === undefined) return undefined;
  const stem = stemOf(parts.file);
  return files.parts.find(({ file, keys }) => keys.some(isIdle) && stemOf(file) === stem)?.file;
}

function nothing(
  { file, isEmpty }: Parts,
  fault: (code: string, reason: string, message: string) => void,
): void {
  const what = isEmpty ? 'is empty' : 'holds neither a certificate nor a key (PEM, DER or PFX)';
  fault('ERR_CREDENTIAL_INVALID', isEmpty ? 'empty' : 'nothing', `${file} ${what}.`);
}
