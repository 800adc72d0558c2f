/** The scripts of `completion`, in a real bash and a real zsh. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cli, installCli } from '../support/cli';
import { plainEnvironment } from '../support/environment';

let cli: Cli;
let folder: string;

beforeAll(async () => {
  cli = installCli();
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-completion-'));
  mkdirSync(join(folder, 'certs folder'));
  writeFileSync(join(folder, 'ca one.pem'), '');
  for (const shell of ['bash', 'zsh']) {
    const { end, stdout } = await cli.run(['completion', shell]);
    expect(end).toBe(0);
    writeFileSync(join(folder, `completion.${shell}`), stdout);
  }
});

afterAll(() => {
  cli.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** What a shell prints, which must complain of nothing. */
function shell(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    // Of a locale that is not installed bash complains.
    const env = { ...plainEnvironment(), TERM: 'dumb', LC_ALL: 'C' };
    const options = { cwd: folder, timeout: 15_000, env };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null && stderr === '') resolve(stdout);
      else reject(new Error(`${program} failed: ${stderr || error?.message}\n${stdout}`));
    });
  });
}

/** What bash offers for the last of these words. */
async function inBash(...words: string[]): Promise<string[]> {
  const script = `
    source completion.bash
    complete -p tls-client-cert >/dev/null || exit 1
    COMP_WORDS=(tls-client-cert "$@")
    COMP_CWORD=$#
    _tls_client_cert
    ((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = await shell('bash', ['--norc', '-c', script, 'bash', ...words]);
  return printed.split('\n').slice(0, -1);
}

/** What zsh makes of each line and a tab: what it lists, and the line as it is then. */
async function inZsh(lines: readonly string[]): Promise<{ line: string; listed: string }[]> {
  const script = `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    hear() { local out; REPLY=; while zpty -r shell out; do REPLY+=$out; [[ $REPLY == *$1* ]] && break; done }
    zpty -w shell 'PS1= PROMPT_EOL_MARK=; stty columns 200; autoload -Uz compinit; compinit -D -u'
    zpty -w shell 'source completion.zsh; LISTMAX=1000; setopt no_always_last_prompt no_beep'
    zpty -w shell 'show() { print -r -- "LINE<$BUFFER>ENIL"; BUFFER= }; zle -N show; bindkey "^X" show'
    zpty -w shell 'print RE""ADY'
    hear READY
    for line in "$@"; do
      zpty -n -w shell $line$'\\t\\x18'
      hear ENIL
      print -r -- "$REPLY"
    done
    zpty -d shell`;
  const printed = await shell('zsh', ['-f', '-c', script, 'zsh', ...lines]);
  return [...printed.matchAll(/(.*?)LINE<(.*?)>ENIL/gs)].map(([, listed = '', line = '']) => ({
    line,
    listed,
  }));
}

test.each([
  [['pro'], ['probe']],
  [['probe', '--st'], ['--starttls']],
  [
    ['probe', '--starttls', ''],
    ['postgres', 'smtp', 'ldap', 'imap', 'mysql'],
  ],
  [
    ['probe', 'localhost:443', '--tls-min', '1.'],
    ['1.0', '1.1', '1.2', '1.3'],
  ],
  [['probe', '--color', '=', 'al'], ['always']],
  [
    ['probe', '--color', '='],
    ['auto', 'always', 'never'],
  ],
  [['--col'], ['--color']],
  [
    ['probe', '--ca', 'c'],
    ['ca one.pem', 'certs folder', 'completion.bash', 'completion.zsh'],
  ],
  [['probe', '--servername', ''], []],
  [['probe', 'loc'], []],
  [['help', 'pr'], ['probe']],
  [['completion', 'b'], ['bash']],
])('bash completes %j', async (words, offered) => {
  expect((await inBash(...words)).sort()).toEqual([...offered].sort());
});

test('bash offers every command and every option that --help lists', async () => {
  const listed = async (args: readonly string[], pattern: RegExp) => {
    const { stdout } = await cli.run([...args, '--help']);
    return [...stdout.matchAll(pattern)].map(([, name = '']) => name);
  };
  const commands = await listed([], /^ {2}([a-z]+) .*/gm);
  expect(commands).toContain('probe');
  expect((await inBash('')).sort()).toEqual([...commands].sort());
  for (const command of commands.filter((name) => name !== 'help')) {
    const options = await listed([command], /^ {2}(?:-\w, )?(--[a-z0-9-]+)/gm);
    const offered = await inBash(command, '--');
    expect([command, ...offered.sort()]).toEqual([
      command,
      ...options.filter((name) => name !== '--version').sort(),
    ]);
  }
});

test('zsh completes, and lists what there is with what it does', async () => {
  const cases = [
    ['tls-client-cert pro', 'tls-client-cert probe '],
    ['tls-client-cert probe --dec', 'tls-client-cert probe --decline '],
    ['tls-client-cert probe --starttls=po', 'tls-client-cert probe --starttls=postgres '],
    ['tls-client-cert probe host --starttls ld', 'tls-client-cert probe host --starttls ldap '],
    ['tls-client-cert probe --ca ca', 'tls-client-cert probe --ca ca\\ one.pem '],
    ['tls-client-cert completion z', 'tls-client-cert completion zsh '],
    ['tls-client-cert probe --', 'tls-client-cert probe --'],
  ];
  const made = await inZsh(cases.map(([typed = '']) => typed));
  expect(made.map(({ line }) => line)).toEqual(cases.map(([, completed]) => completed));
  const { listed = '' } = made.at(-1) ?? {};
  expect(listed).toMatch(
    /--decline +-- answer that there is no certificate, and see what the server/,
  );
  expect(listed).toMatch(/--json +-- print one JSON object/);
});

test('zsh finds it as a file in its $fpath, too', async () => {
  mkdirSync(join(folder, 'functions'));
  const { stdout } = await cli.run(['completion', 'zsh']);
  writeFileSync(join(folder, 'functions/_tls-client-cert'), stdout);
  const script = `fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -D -u
    print $_comps[tls-client-cert]`;
  expect(await shell('zsh', ['-f', '-c', script])).toBe('_tls-client-cert\n');
});

test('another shell is refused in a line', async () => {
  const { end, stderr } = await cli.run(['completion', 'fish']);
  expect(end).toBe(2);
  expect(stderr).toMatch(/^tls-client-cert: .*'fish' is invalid.*bash, zsh.*\n$/);
});
