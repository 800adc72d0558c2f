import type { Command } from 'commander';
import { action } from '../action';
import { bashScript } from '../completion/bash';
import { wordsOf } from '../completion/words';
import { zshScript } from '../completion/zsh';

const SCRIPTS = { bash: bashScript, zsh: zshScript };

const HELP = `
To have it at once, and in every shell from now on:
  $ source <(tls-client-cert completion bash)
  $ tls-client-cert completion bash >> ~/.bashrc
  $ source <(tls-client-cert completion zsh)
  $ tls-client-cert completion zsh > ~/.zfunc/_tls-client-cert   (a folder in $fpath)`;

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print a script that completes commands, options and files in your shell.')
    .addArgument(program.createArgument('<shell>', 'your shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HELP)
    .action(
      action(async ({ terminal }, [shell]) => {
        const script = SCRIPTS[shell as keyof typeof SCRIPTS](wordsOf(program));
        for (const line of script.trimEnd().split('\n')) terminal.out(line);
        return undefined;
      }),
    );
}
