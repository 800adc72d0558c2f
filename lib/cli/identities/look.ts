/**
 * Finding identities for a command: where it was told to look, or in the usual places.
 */
import { CliError } from '../cli-error';
import { ExitCode } from '../exit-codes';
import { explain } from '../explain';
import { during } from '../progress';
import { styled, type Terminal } from '../terminal';
import { type FindOptions, type FoundIdentities, findIdentities, shown } from './index';
import { defaultPlaces, type Places } from './places';

/** What was found, and where. */
export interface Looked extends FoundIdentities {
  readonly places: readonly string[];
}

/**
 * Looks in the sources; without any, and without a module, in the places that `places.ts` knows.
 *
 * @param sources - As `findIdentities()` takes them.
 */
export async function lookForIdentities(
  terminal: Terminal,
  sources: readonly string[],
  options: FindOptions = {},
): Promise<Looked> {
  const isDefault = sources.length === 0 && options.module === undefined;
  const { sources: all, names } = isDefault ? defaultPlaces() : placesOf(sources, options.module);
  const found = await during(
    terminal,
    `Looking for identities: ${names.join(', ')}`,
    findIdentities(all, options),
  );
  // Nobody named these: what is wrong with them is worth a note.
  const problems = isDefault
    ? found.problems.map((problem) => ({ ...problem, named: false }))
    : found.problems;
  return { ...found, problems, places: names };
}

function placesOf(sources: readonly string[], module: string | undefined): Places {
  const tokens = module === undefined ? [] : ['pkcs11:'];
  const named = sources.some((source) => /^pkcs11:/i.test(source)) ? [] : tokens;
  const names = [...sources.map(shown), ...named.map(() => `the tokens of ${module}`)];
  return { sources: [...sources, ...named], names };
}

/** What stood in the way, one line each, beside the result. */
export function writeProblems(terminal: Terminal, { problems }: FoundIdentities): void {
  for (const { error } of problems) terminal.err([styled('yellow', 'Note:'), ` ${error.message}`]);
}

/**
 * The error of a command that has nothing to go on with: what is wrong with what was named, or else that
 * nothing is there.
 */
export function noIdentities({ problems, places }: Looked): CliError {
  const [first, ...more] = problems.filter(({ named }) => named);
  if (first !== undefined) {
    const { exitCode, code, message } = explain(first.error);
    const others = more.map(({ error }) => ` ${error.message}`).join('');
    return new CliError(exitCode, code, `${message}${others}`, first.error);
  }
  const seen = problems.map(({ error }) => ` ${error.message}`).join('');
  return new CliError(
    ExitCode.noIdentity,
    'CLI_NO_IDENTITY',
    `No identity was found. Looked at: ${places.join(', ')}. Name a file, a folder or a pkcs11: URI with a certificate and its key.${seen}`,
  );
}

/** How a command ends that found something: with the first fault of what was named, if there is one. */
export function exitCodeOf({ problems }: FoundIdentities): ExitCode {
  const fault = problems.find(({ named }) => named);
  return fault === undefined ? ExitCode.ok : explain(fault.error).exitCode;
}
