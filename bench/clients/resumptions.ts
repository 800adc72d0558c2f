/** Connections that each resume the newest session, as an HTTP agent does. */
import type { HandshakeSample, ResumptionsTask, Setup } from '../messages';
import { repeat } from './handshakes';
import { type Opener, openerOf, settled } from './sockets';

/** Of the one kind that this process measures. */
let resume: Promise<Opener> | undefined;

export async function measureResumptions(
  setup: Setup,
  task: ResumptionsTask,
): Promise<HandshakeSample> {
  resume ??= resuming(openerOf(setup, task.kind));
  return repeat(await resume, task);
}

async function resuming(open: Opener): Promise<Opener> {
  let newest: Buffer | undefined;
  const first = open();
  first.on('session', (session: Buffer) => {
    newest = session;
  });
  first.resume();
  await settled(first, 'close');
  if (newest === undefined) throw new Error('the server gave no session');
  return () => {
    const socket = open(newest);
    socket.on('session', (session: Buffer) => {
      newest = session;
    });
    socket.once('secureConnect', () => {
      if (!socket.isSessionReused()) socket.destroy(new Error('the session was not resumed'));
    });
    return socket;
  };
}
