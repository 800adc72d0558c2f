import type { CommandWords, OptionWords, ProgramWords, Values } from './words';

/** A script for `source <(tls-client-cert completion bash)`. */
export function bashScript({ name, options, commands }: ProgramWords): string {
  const completer = `_${name.replace(/\W/g, '_')}`;
  const all = [{ name: '', options, arguments: [] }, ...commands];
  return `# bash completion of ${name}
${completer}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' i
  COMPREPLY=()
  # Bash takes --color=always for three words.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${commands.map((command) => command.name).join('|')}) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case "$command $prev" in
${all.flatMap(ofValues).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    case "$command" in
${all.map(ofFlags).join('\n')}
    esac
    return
  fi
  case "$command" in
    '') COMPREPLY=($(compgen -W ${quoted(commands.map((command) => command.name))} -- "$cur")) ;;
${commands.flatMap(ofArguments).join('\n')}
  esac
}
complete -o filenames -F ${completer} ${name}
`;
}

type Some = Pick<CommandWords, 'name' | 'options' | 'arguments'>;

/** After an option with a value, nothing else can stand. */
function ofValues({ name, options }: Some): string[] {
  return options.flatMap(({ flags, value }) =>
    value === null
      ? []
      : [`    ${flags.map((flag) => `'${name} ${flag}'`).join(' | ')}) ${offer(value)}return ;;`],
  );
}

function offer(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `COMPREPLY=($(compgen -W ${quoted(values.words)} -- "$cur")); `;
    case 'files':
      return 'mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ';
    case 'free':
      return '';
  }
}

function ofFlags({ name, options }: Some): string {
  const flags = options.flatMap((option: OptionWords) => option.flags);
  return `      '${name}') COMPREPLY=($(compgen -W ${quoted(flags)} -- "$cur")) ;;`;
}

function ofArguments(command: Some): string[] {
  const last = command.arguments.at(-1);
  const offered = last === undefined ? '' : offer(last.values);
  return offered === '' ? [] : [`    '${command.name}') ${offered.replace(/; $/, '')} ;;`];
}

function quoted(words: readonly string[]): string {
  return `'${words.join(' ').replaceAll("'", "'\\''")}'`;
}
