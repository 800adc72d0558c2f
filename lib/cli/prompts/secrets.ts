/** Asking for PINs and passphrases. */
import type { PinCallback, PinRequest } from '../../signers/pkcs11/pin';
import type { PassphraseCallback } from '../identities';
import { askHidden } from './plain';
import { checkInteractive, exclusively, type PromptOptions, prompted } from './prompt';

/** PKCS#11 tells no number. */
const TRIES: Readonly<Record<PinRequest['triesLeft'], string>> = {
  many: '',
  few: ' (a wrong one was given before: few tries are left)',
  last: ' (LAST TRY: a wrong one locks it)',
};

/** A `pin` callback that asks the person at the terminal. */
export function pinPrompt(options: PromptOptions): PinCallback {
  return ({ token, triesLeft, purpose, label, signal }) => {
    const flags = '--pin-file or --pin-env';
    checkInteractive(options.terminal, `The PIN of ${token.label} is wanted`, flags);
    const what =
      purpose === 'login' ? token.label : `${token.label}, for one signature by ${label}`;
    return askSecret(`PIN of ${what}${TRIES[triesLeft]}`, 'PIN', either(options, signal));
  };
}

/** A `passphrase` callback that asks the person at the terminal. */
export function passphrasePrompt(options: PromptOptions): PassphraseCallback {
  return ({ file, attempt, attempts, signal }) => {
    const flags = '--passphrase-file or --passphrase-env';
    checkInteractive(options.terminal, `The passphrase of ${file} is wanted`, flags);
    const left = attempts - attempt + 1;
    const tries = left === 1 ? 'the last try' : `${left} tries left`;
    const again = attempt === 1 ? '' : ` (wrong, ${tries})`;
    const tried = { ...either(options, signal), isTried: true };
    return askSecret(`Passphrase of ${file}${again}`, 'passphrase', tried);
  };
}

function either(options: PromptOptions, other: AbortSignal): PromptOptions {
  return { ...options, signal: AbortSignal.any([options.signal, other]) };
}

/** Nothing of the answer is shown, not even how long it is. */
async function askSecret(question: string, what: string, options: PromptOptions): Promise<string> {
  const { terminal, signal } = options;
  const message = terminal.rendered(question);
  const empty = `Type the ${what}, or Ctrl-C to give up.`;
  if (terminal.plain) {
    return exclusively(options, () => askHidden(`${message}: `, empty, signal));
  }
  return prompted(options, ({ password }, context) =>
    password(
      {
        message,
        toggleMask: false,
        validate: (answer) => answer !== '' || empty,
        theme: { style: { maskedText: '(nothing is shown)' } },
      },
      context,
    ),
  );
}
