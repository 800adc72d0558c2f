/** Brings a connection into a phase. What the children of all life-cycle and leak tests begin with. */
import { sign } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { type ConnectionOptions, connect, type Signer, type TLSSocket } from '../../../lib/index';
import { PHASES, type Phase, type PhaseName, type PhasePorts, TOO_MUCH } from '../phases';
import { credential, to } from './client';

export interface Reached {
  readonly socket: TLSSocket;
  /** Gives the answer or the signature that the phase waits for. */
  answer(): void;
}

export interface ReachOptions extends ConnectionOptions {
  /** Called out of the callback, or the signer, that is not answered. */
  readonly onAsked?: (signal: AbortSignal) => void;
}

/** Shared, for what counts is that it waits. */
const MUCH = Buffer.alloc(TOO_MUCH, 'unwritten');

/** Resolves when the connection is in the phase; it stays there. Errors of the socket are not told. */
export async function reach(
  name: PhaseName,
  ports: PhasePorts,
  { onAsked = () => {}, ...options }: ReachOptions = {},
): Promise<Reached> {
  const phase: Phase = PHASES[name];
  let answer = () => {};
  const given = new Promise<typeof credential>((resolve) => {
    answer = () => resolve(credential);
  });
  let asked = () => {};
  const question = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const signer: Signer = {
    sign: async (data, _scheme, { signal }) => {
      onAsked(signal);
      asked();
      return sign('sha256', data, (await given).key);
    },
  };
  const socket: TLSSocket = connect({
    ...to(ports[phase.server]),
    // Of those who wait for good.
    clientCertTimeout: 0,
    allowHalfOpen: name === 'half-closed by the peer',
    ...(phase.maxVersion !== undefined && { maxVersion: phase.maxVersion }),
    clientCertCallback: ({ phase: moment }, { signal }) => {
      if (phase.command !== undefined && moment === 'handshake') return null;
      if (phase.waitsFor === undefined) return credential;
      if (phase.waitsFor === 'signature') return { cert: credential.cert, key: signer };
      onAsked(signal);
      asked();
      return given;
    },
    ...options,
  });
  socket.on('error', () => {});
  // Not by `once()`, which fails when the socket does.
  const first = (event: string) =>
    new Promise<void>((resolve) => socket.once(event, () => resolve()));
  const closed = first('close');
  const before = (event: string) => Promise.race([first(event), closed]);
  if (phase.command !== undefined) socket.write(`${phase.command}\n`);

  if (phase.waitsFor !== undefined) {
    if (phase.command !== undefined) socket.resume();
    await Promise.race([question, closed]);
    // Out of the callback, into the wait.
    await turn();
  } else if (name === 'waiting for the ServerHello') {
    await before('connect');
    await turn();
  } else if (name === 'answered') {
    while (!socket.destroyed && socket.clientAuth.status !== 'sent') await turn();
  } else if (name !== 'connecting') {
    await before('secureConnect');
  }
  if (name === 'writing') await writeTooMuch(socket);
  if (name === 'closing') {
    socket.end();
    await before('finish');
  }
  if (name === 'half-closed by the peer') {
    socket.resume();
    await before('end');
  }
  return { socket, answer };
}

/**
 * Keeps the process no more. Over a stream libuv waits for a write that nobody takes whether the socket is
 * referenced or not, as with `node:tls`.
 */
export function letGo(name: PhaseName, { socket }: Reached): void {
  if (name === 'writing' && socket.transport === 'stream') socket.destroy();
  else socket.unref();
}

/** Has the server do to its connections what it was told to do later; resolves to what it says then. */
export async function go(ports: PhasePorts): Promise<string> {
  const socket = connect(to(ports.tls));
  socket.write('go\n');
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

/** Until nothing more leaves. */
async function writeTooMuch(socket: TLSSocket): Promise<void> {
  socket.write(MUCH);
  let before = -1;
  for (let still = 0; still < 10 && !socket.destroyed; await turn()) {
    still = socket.bytesWritten === before ? still + 1 : 0;
    before = socket.bytesWritten;
  }
}
