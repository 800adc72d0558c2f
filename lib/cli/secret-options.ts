/** Where PINs and passphrases come from: a file, the environment, or the person at the terminal. Never the command line. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { TLSClientCertError } from '../errors';
import type { PinCallback } from '../signers/pkcs11/pin';
import { usageError } from './cli-error';
import { whyUnreadable } from './connection-options';
import type { Asked, PassphraseCallback } from './identities';
import type { PromptOptions } from './prompts/prompt';
import { passphrasePrompt, pinPrompt } from './prompts/secrets';

export interface SecretFlags {
  readonly pinFile?: string;
  readonly pinEnv?: string;
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
}

/** Adds them to a command; {@link secretsFrom} makes of them whom to ask. */
export function addSecretOptions(command: Command): Command {
  return command
    .optionsGroup('Secrets (asked for at the terminal where these are not given):')
    .option('--pin-file <file>', 'file whose first line is the PIN')
    .option('--pin-env <name>', 'environment variable that holds the PIN')
    .option(
      '--passphrase-file <file>',
      'file whose first line is the passphrase of keys and PFX files',
    )
    .option('--passphrase-env <name>', 'environment variable that holds the passphrase')
    .optionsGroup('Options:');
}

/**
 * For `findIdentities()`.
 *
 * @throws CliError of the kind `usage`: a file or a variable that is not there.
 */
export function secretsFrom(flags: SecretFlags, options: PromptOptions): Asked {
  const pin = secret('pin', flags.pinFile, flags.pinEnv);
  const passphrase = secret('passphrase', flags.passphraseFile, flags.passphraseEnv);
  return {
    pin: pin === undefined ? pinPrompt(options) : onePin(pin),
    passphrase: passphrase === undefined ? passphrasePrompt(options) : onePassphrase(passphrase),
  };
}

function secret(
  what: 'pin' | 'passphrase',
  file: string | undefined,
  name: string | undefined,
): string | undefined {
  if (file !== undefined && name !== undefined) {
    throw usageError(`Give --${what}-file or --${what}-env, not both.`);
  }
  if (file !== undefined) return firstLine(file, `--${what}-file`);
  if (name === undefined) return undefined;
  const value = process.env[name];
  if (value) return value;
  throw usageError(
    `--${what}-env ${name}: there is no such environment variable, or it is empty. Its name is wanted, not the secret.`,
  );
}

/** Byte order marks. */
const UTF_16 = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

function firstLine(file: string, flag: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw usageError(`${flag} ${file} cannot be read: ${whyUnreadable(error)}.`, error);
  }
  if (UTF_16.some((mark) => bytes.subarray(0, mark.length).equals(mark))) {
    throw usageError(`${flag} ${file} is written in UTF-16. Save it as UTF-8.`);
  }
  // Leaves away the mark that editors on Windows put before UTF-8.
  const text = new TextDecoder().decode(bytes);
  const [line = ''] = text.split(/\r?\n/, 1);
  if (line !== '') return line;
  throw usageError(`${flag} ${file} is empty, or its first line is.`);
}

function onePin(pin: string): PinCallback {
  return ({ token, triesLeft }) => {
    if (triesLeft !== 'last') return pin;
    // Who lets a script go on here may be left without a card.
    throw new TLSClientCertError(
      'ERR_PKCS11_PIN',
      `One more wrong PIN locks "${token.label}": it is not taken from a file or the environment now. Run it at a terminal without --pin-file and --pin-env, and type it in.`,
      { reason: 'last-try' },
    );
  };
}

/** Wrong once, it is wrong again. */
function onePassphrase(passphrase: string): PassphraseCallback {
  return ({ attempt }) => (attempt === 1 ? passphrase : undefined);
}
