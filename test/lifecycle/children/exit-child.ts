/** Ends the process in one way while a connection is in one phase; or, by itself, with one in each. */
import { PHASE_NAMES, type PhaseName, type PhasePorts } from '../phases';
import { letGo, type Reached, reach } from './reach';

const [way, json = '', phase] = process.argv.slice(2);
const ports: PhasePorts = JSON.parse(json);

async function main(): Promise<void> {
  const onAsked = way === 'process.exit in the callback' ? () => process.exit(7) : undefined;
  const names = phase === undefined ? PHASE_NAMES : [phase as PhaseName];
  const all = await Promise.all(
    names.map((name) => reach(name, ports, onAsked === undefined ? {} : { onAsked })),
  );
  const states = all.map(({ socket }) => (socket.destroyed ? 'destroyed' : 'there'));
  console.log([...new Set(states)].join(' '));
  process.on('exit', () => {
    // What happens to a socket this late must do no harm either.
    if (way === 'process.exit') for (const { socket } of all) socket.destroy();
  });
  switch (way) {
    case 'process.exit':
      process.exit(7);
      break;
    case 'an uncaught exception':
      setImmediate(() => {
        throw new Error('on purpose');
      });
      break;
    case 'SIGTERM':
      process.kill(process.pid, 'SIGTERM');
      break;
    case 'its natural end':
      for (const [i, name] of names.entries()) letGo(name, all[i] as Reached);
      break;
  }
}

void main();
