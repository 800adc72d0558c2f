import type { ArgumentWords, CommandWords, OptionWords, ProgramWords, Values } from './words';

/** A script for a file `_tls-client-cert` in `$fpath`, or for `source <(tls-client-cert completion zsh)`. */
export function zshScript({ name, options, commands }: ProgramWords): string {
  const completer = `_${name.replace(/\W/g, '_')}`;
  return `#compdef ${name}
# zsh completion of ${name}
${completer}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${commands.map(({ name, description }) => `    ${quoted(`${name}:${firstSentence(description)}`)}`).join('\n')}
  )
  _arguments -C -A '-*' \\
${options.map((option) => `    ${ofOption(option)} \\`).join('\n')}
    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe -t commands command commands ;;
    argument)
      case $line[1] in
${commands.map(ofCommand).join('\n')}
      esac
      ;;
  esac
}
if [[ $funcstack[1] == ${completer} || $funcstack[1] == _${name} ]]; then
  ${completer} "$@"
else
  compdef ${completer} ${name}
fi
`;
}

function ofCommand({ name, options, arguments: positional }: CommandWords): string {
  const specs = [...options.map(ofOption), ...positional.map(ofArgument)];
  return `        ${name}) _arguments ${specs.map((spec) => `\\\n          ${spec}`).join(' ')} ;;`;
}

function ofOption({ flags, description, value, repeatable }: OptionWords): string {
  const apart = repeatable ? '*' : flags.length > 1 ? `(${flags.join(' ')})` : '';
  const end = value === null ? '' : `:${inSpec(value.name)}:${action(value)}`;
  const text = `[${inSpec(description)}]${end}`;
  // Long options take their value behind a blank or an equals sign.
  const all = flags.map((flag) => (value !== null && flag.startsWith('--') ? `${flag}=` : flag));
  return all.length > 1
    ? `${quoted(apart)}{${all.join(',')}}${quoted(text)}`
    : quoted(`${apart}${all[0]}${text}`);
}

function ofArgument({ name, variadic, values }: ArgumentWords): string {
  return quoted(`${variadic ? '*' : ''}:${inSpec(name)}:${action(values)}`);
}

function action(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `(${values.words.join(' ')})`;
    case 'files':
      return '_files';
    case 'free':
      // Nothing. A blank would have zsh explain that beside every other match, and so insert none.
      return '( )';
  }
}

function firstSentence(text: string): string {
  return text.split(/\.(\s|$)/)[0] ?? '';
}

/** Colons and brackets mean something in a specification. */
function inSpec(text: string): string {
  return text.replace(/[\\:[\]]/g, '\\$&');
}

function quoted(text: string): string {
  return text === '' ? '' : `'${text.replaceAll("'", "'\\''")}'`;
}
