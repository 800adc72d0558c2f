/** What can be typed, read off the commander program itself: so that no completion can go stale. */
import type { Argument, Command, Option } from 'commander';

/** What to offer for a value. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' }
  | { readonly kind: 'free' };

export interface OptionWords {
  /** `-h` and `--help`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** `null` where it takes no value. */
  readonly value: (Values & { readonly name: string }) | null;
  readonly repeatable: boolean;
}

export interface ArgumentWords {
  readonly name: string;
  readonly variadic: boolean;
  readonly values: Values;
}

export interface CommandWords {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionWords[];
  readonly arguments: readonly ArgumentWords[];
}

export interface ProgramWords {
  readonly name: string;
  readonly options: readonly OptionWords[];
  readonly commands: readonly CommandWords[];
}

/** Options that hold for all commands are listed with each. */
export function wordsOf(program: Command): ProgramWords {
  const everywhere = visibleOptions(program).filter(({ flags }) => !flags.includes('--version'));
  const help = program.createHelp();
  const commands = help.visibleCommands(program).map((command) => ({
    name: command.name(),
    description: help.subcommandDescription(command),
    options: withoutTwins([...visibleOptions(command), ...everywhere]),
    arguments:
      command.name() === 'help'
        ? [{ name: 'command', variadic: false, values: namesOf(program) }]
        : command.registeredArguments.map(argumentWords),
  }));
  return { name: program.name(), options: visibleOptions(program), commands };
}

function namesOf(program: Command): Values {
  return { kind: 'words', words: program.commands.map((command) => command.name()) };
}

function visibleOptions(command: Command): OptionWords[] {
  return command.createHelp().visibleOptions(command).map(optionWords);
}

function withoutTwins(options: readonly OptionWords[]): OptionWords[] {
  const seen = new Set<string>();
  return options.filter(({ flags }) => {
    const twin = flags.some((flag) => seen.has(flag));
    for (const flag of flags) seen.add(flag);
    return !twin;
  });
}

function optionWords(option: Option): OptionWords {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined);
  const name = /[<[]([^\].>]+)/.exec(option.flags)?.[1];
  return {
    flags,
    description: option.description,
    value: name === undefined ? null : { name, ...valuesOf(name, option.argChoices) },
    repeatable: option.variadic || option.description.includes('repeatable'),
  };
}

function argumentWords(argument: Argument): ArgumentWords {
  const name = argument.name();
  return { name, variadic: argument.variadic, values: valuesOf(name, argument.argChoices) };
}

/** Placeholders that stand for what lies in the file system. */
const FILES = new Set(['file', 'files', 'folder', 'module', 'identity', 'source']);

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined && choices.length > 0) return { kind: 'words', words: choices };
  return { kind: FILES.has(name) ? 'files' : 'free' };
}
