/**
 * Asking for passphrases.
 */
import { TLSClientCertError } from '../../errors';
import { unlessAborted } from '../../signers/unless-aborted';
import type { PassphraseCallback } from './identity';

/** After so many wrong ones somebody has to think again. */
const ATTEMPTS = 3;

/**
 * Asks until one opens it.
 *
 * @param open - What comes of a passphrase; undefined when it was wrong.
 */
export async function askPassphrase<T>(
  file: string,
  kind: 'key' | 'pfx',
  ask: PassphraseCallback | undefined,
  signal: AbortSignal,
  open: (passphrase: string) => T | undefined,
): Promise<T> {
  const what = kind === 'key' ? `The private key in ${file}` : file;
  if (ask === undefined) {
    throw refused(file, 'missing', `${what} is encrypted, and its passphrase is not known.`);
  }
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const request = { file, kind, attempt, attempts: ATTEMPTS, signal };
    const passphrase = await unlessAborted(Promise.resolve(ask(request)), signal);
    if (passphrase === undefined) {
      // Who has but one, and gave it, is not asked in vain: that one was wrong.
      if (attempt > 1) break;
      throw refused(file, 'cancelled', `No passphrase was given for ${file}.`);
    }
    const opened = open(passphrase);
    if (opened !== undefined) return opened;
  }
  throw refused(file, 'wrong', `${what} cannot be opened: the passphrase is wrong.`);
}

function refused(file: string, reason: string, message: string): TLSClientCertError {
  return new TLSClientCertError('ERR_CREDENTIAL_PASSPHRASE', message, { input: file, reason });
}
