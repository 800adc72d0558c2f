/**
 * Reads what people name: a file, or all files of a folder.
 */
import { open, readdir, stat } from 'node:fs/promises';
import { dirname, extname, join, parse } from 'node:path';
import { TLSClientCertError } from '../../errors';
import { whyUnreadable } from '../connection-options';
import type { Problem } from './identity';
import { mayBeOne, type Parts, partsOf } from './parts';

/** Certificates and keys are small; what is larger is none. */
const LARGEST = 1024 * 1024;
/** What begins with so much of something else is something else. */
const ENOUGH = 64 * 1024;
/** Files of one folder that are read. */
const MOST = 2000;
/** Names that promise something: what is wrong with such a file is worth a word. */
const TELLING = /^\.(pem|crt|cer|cert|der|key|p8|pk8|pkcs8|p12|pfx|pkcs12)$/i;
/** What may lie beside a certificate and belong to it. */
const BESIDE = /^\.(pem|crt|cer|cert|der|key|p8|pk8|pkcs8)$/i;

export interface Files {
  /** Every file that could be read. */
  readonly parts: readonly Parts[];
  /** Those that were named, or are in the folder that was; the others lie beside. */
  readonly named: ReadonlySet<string>;
  readonly isFolder: boolean;
  readonly problems: readonly Problem[];
}

/** Whether somebody who named this file means that there is an identity in it. */
export function isTelling(file: string): boolean {
  return TELLING.test(extname(file));
}

/** Reads a file and what lies beside it, or a folder, not those in it. */
export async function readFiles(source: string): Promise<Files> {
  try {
    const facts = await stat(source);
    return facts.isDirectory() ? await readFolder(source) : await readOne(source, facts.isFile());
  } catch (error) {
    const problems = [{ source, named: true, error: systemError(source, error) }];
    return { parts: [], named: new Set(), isFolder: false, problems };
  }
}

async function readFolder(folder: string): Promise<Files> {
  const problems: Problem[] = [];
  const names = (await readdir(folder)).sort();
  if (names.length > MOST) {
    const error = new TLSClientCertError(
      'ERR_CREDENTIAL_INVALID',
      `The folder ${folder} has ${names.length} entries; only the first ${MOST} were looked at. Name the file that you mean.`,
      { input: folder, reason: 'too-many' },
    );
    problems.push({ source: folder, named: true, error });
  }
  const files = names.slice(0, MOST).map((name) => join(folder, name));
  const parts: Parts[] = [];
  for (const file of files) {
    try {
      const facts = await stat(file);
      if (!facts.isFile() || facts.size > LARGEST) continue;
      const bytes = await read(file);
      if (bytes !== undefined) parts.push(partsOf(file, bytes));
    } catch (error) {
      if (!isTelling(file)) continue;
      problems.push({ source: file, named: false, error: systemError(file, error) });
    }
  }
  return { parts, named: new Set(files), isFolder: true, problems };
}

/** A pipe, as shells make one of `<(…)`, has nothing beside it. */
async function readOne(file: string, isOrdinary: boolean): Promise<Files> {
  const bytes = await read(file);
  if (bytes === undefined) throw tooLarge(file);
  const own = partsOf(file, bytes);
  const isWhole = own.pfx !== undefined || !isOrdinary;
  const beside = isWhole ? [] : await readBeside(file);
  return { parts: [own, ...beside], named: new Set([file]), isFolder: false, problems: [] };
}

/** What cannot be read there is nobody's concern. */
async function readBeside(file: string): Promise<Parts[]> {
  const folder = dirname(file);
  const { base } = parse(file);
  const names = await readdir(folder).catch(() => []);
  const mayBelong = (name: string) =>
    name !== base && (BESIDE.test(extname(name)) || stemOf(name) === stemOf(base));
  const parts: Parts[] = [];
  for (const name of names.sort().filter(mayBelong).slice(0, MOST)) {
    const path = join(folder, name);
    try {
      const bytes = (await stat(path)).isFile() ? await read(path) : undefined;
      if (bytes !== undefined) parts.push(partsOf(path, bytes));
    } catch {}
  }
  return parts;
}

/** `alice` of `certs/alice.crt.pem`. */
export function stemOf(file: string): string {
  const { base } = parse(file);
  const [stem = base] = base.split('.');
  return stem === '' ? base : stem;
}

/** The beginning of what is none is enough. Undefined when it is too large to be a key or a certificate. */
async function read(file: string): Promise<Buffer | undefined> {
  const handle = await open(file, 'r');
  let buffer = Buffer.allocUnsafeSlow(ENOUGH);
  let length = 0;
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (length > LARGEST) return undefined;
      if (length >= ENOUGH && !mayBeOne(buffer.subarray(0, length))) break;
      if (bytesRead === 0) break;
      if (length === buffer.length) {
        const larger = Buffer.allocUnsafeSlow(LARGEST + 1);
        buffer.copy(larger);
        buffer.fill(0);
        buffer = larger;
      }
    }
    // A copy of its own size.
    return Buffer.from(buffer.subarray(0, length));
  } finally {
    // It may have been a key.
    buffer.fill(0, 0, length);
    await handle.close();
  }
}

function tooLarge(file: string): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_CREDENTIAL_INVALID',
    `${file} is larger than 1 MiB, and so neither certificate, key nor PFX. Name another file.`,
    { input: file, reason: 'too-large' },
  );
}

function systemError(source: string, thrown: unknown): TLSClientCertError {
  if (thrown instanceof TLSClientCertError) return thrown;
  const { code } = thrown as NodeJS.ErrnoException;
  return new TLSClientCertError(
    'ERR_CREDENTIAL_INVALID',
    `${source} cannot be read: ${whyUnreadable(thrown)}.`,
    { input: source, reason: code, cause: thrown },
  );
}
