import { CliError } from '../cli-error';
import { ExitCode } from '../exit-codes';

/** The prompts that are used of it. */
export type Inquirer = Pick<
  typeof import('@inquirer/prompts', { with: { 'resolution-mode': 'import' }}),
  'select' | 'password' | 'Separator'
>;

let loaded: Promise<Inquirer> | undefined;

/**
 * `@inquirer/prompts`, when somebody is to be asked: it is an ES module, takes a tenth of a second, and is an
 * optional dependency.
 */
export function inquirer(): Promise<Inquirer> {
  loaded ??= import('@inquirer/prompts').catch((error) => {
    throw new CliError(
      ExitCode.internal,
      'CLI_PROMPTS_MISSING',
      'The prompts need the package @inquirer/prompts. Install it (npm install @inquirer/prompts), or use --plain.',
      error,
    );
  });
  return loaded;
}
