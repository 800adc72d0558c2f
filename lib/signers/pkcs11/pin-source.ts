/**
 * PINs out of a URI: `pin-value` and `pin-source` (RFC 7512, section 2.4).
 */
import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TLSClientCertError } from '../../errors';
import { bare } from '../../given';
import { pinError } from './failures';
import type { PinCallback } from './pin';
import { Pkcs11Uri } from './uri';

/** Answers with the PIN that the URI brings, or undefined when it brings none. */
export function pinOf(uri: Pkcs11Uri): PinCallback | undefined {
  const value = Pkcs11Uri.pinValueOf(uri);
  if (value !== undefined) return () => value;
  const { pinSource } = uri.attributes;
  if (pinSource === undefined) return undefined;
  const path = pathOf(pinSource);
  return ({ signal }) => pinFrom(path, signal);
}

/** Read when it is needed, and every time: it may be on a volume that is mounted later. */
async function pinFrom(path: string, signal: AbortSignal): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path, bare({ signal }));
  } catch (error) {
    throw pinError(
      'source-unreadable',
      `The PIN cannot be read from ${path}, which the URI's pin-source names. Make it readable, or ` +
        'pass the option pin.',
      error,
    );
  }
  // An editor ends a file with a line break.
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1;
  return bytes.subarray(0, end);
}

function pathOf(source: string): string {
  if (isAbsolute(source)) return source;
  // RFC 8089 knows file:/path and file:///path; Node's parser takes both.
  try {
    if (/^file:\//i.test(source)) return fileURLToPath(source);
  } catch {
    // As below.
  }
  throw new TLSClientCertError(
    'ERR_PKCS11_URI',
    'In the pkcs11: URI, "pin-source" must be an absolute path or a file: URI; a program is not ' +
      'run to get a PIN (RFC 7512, section 2.4).',
    { input: 'pin-source', reason: 'value' },
  );
}
