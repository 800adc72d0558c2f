/** `tls-client-cert` at a terminal. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Cli } from './cli';
import { loadPki } from './pki';
import { quoted, type Terminal, type TerminalOptions, withTerminal } from './terminal';

/** Runs it in a terminal, with `--ca` for the test PKI's servers. */
export function withCliAt(
  cli: Cli,
  args: readonly (string | number)[],
  use: (terminal: Terminal) => Promise<void>,
  options: TerminalOptions = {},
): Promise<void> {
  const trust = ['--ca', loadPki().serverCa.certPath];
  const command = [process.execPath, cli.main, ...args.map(String), ...trust];
  return withTerminal(command, { cwd: cli.folder, ...options }, use);
}

/** The same, started from a shell, which has jobs: `Ctrl-Z` stops it, `fg` continues it. */
export function withCliInShell(
  cli: Cli,
  args: readonly (string | number)[],
  use: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  const trust = ['--ca', loadPki().serverCa.certPath];
  const command = [process.execPath, cli.main, ...args.map(String), ...trust].map(quoted).join(' ');
  const env = { PS1: `${PROMPT} ` };
  const shell = ['bash', '--norc', '--noprofile', '-i'];
  return withTerminal(shell, { cwd: cli.folder, env }, async (terminal) => {
    await terminal.shows(PROMPT);
    await terminal.type(`clear; ${command}`);
    await terminal.press('Enter');
    await use(terminal);
  });
}

/** What the shell of {@link withCliInShell} shows when it has the terminal. */
export const PROMPT = 'shell:';

/** A folder with copies of these files. */
export function folderOf(cli: Cli, name: string, files: readonly string[]): string {
  const folder = join(cli.folder, name);
  mkdirSync(folder);
  for (const file of files) copyFileSync(file, join(folder, basename(file)));
  return folder;
}
