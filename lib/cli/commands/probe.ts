import type { Command } from 'commander';
import { action } from '../action';
import { addConnectionOptions, type ConnectionFlags } from '../connection-options';
import { openConnection } from '../open-connection';
import { during } from '../progress';
import { parseTarget } from '../target';

interface ProbeFlags extends ConnectionFlags {
  readonly path?: string;
}

export function registerProbe(program: Command): void {
  const command = program
    .command('probe')
    .description('Show what a server asks of its clients, without sending anything.')
    .argument('<target>', 'host:port or URL');
  command.option('--json', 'print one JSON object, for machines');
  addConnectionOptions(command).action(
    action<ProbeFlags>(async ({ terminal, signal }, [target = ''], flags) => {
      const server = parseTarget(target, flags.starttls);
      const { secured, socket } = await during(
        terminal,
        `Connecting to ${server.authority}`,
        openConnection(server, flags, { signal }),
      );
      await secured;
      terminal.out(socket.getProtocol() ?? '');
      socket.destroy();
      return undefined;
    }),
  );
}
