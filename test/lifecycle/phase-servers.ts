/** The servers that bring connections into each of their phases. */
import { constants } from 'node:crypto';
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { startRawServer } from '../integration/stream-helpers';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { startPythonServer } from '../support/python-server';
import type { PhasePorts } from './phases';

/** What a client may say as its first line to the `tls` server, which echoes all else. */
const COMMANDS: Readonly<Record<string, (socket: TLSSocket) => void>> = {
  deaf: (socket) => socket.pause(),
  hold: () => {},
  end: (socket) => socket.end(),
  renegotiate: (socket) => {
    socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {});
    echo(socket);
  },
};

function echo(socket: TLSSocket): void {
  socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end());
}

function obey(socket: TLSSocket): void {
  const endAtOnce = () => socket.end();
  socket.once('end', endAtOnce);
  socket.once('data', (line: Buffer) => {
    socket.off('end', endAtOnce);
    const command = COMMANDS[String(line).trim()];
    if (command !== undefined) {
      command(socket);
      return;
    }
    socket.write(line);
    echo(socket);
  });
}

export interface PhaseServers {
  readonly ports: PhasePorts;
  /** For the command line. */
  readonly json: string;
  close(): Promise<void>;
}

export async function startPhaseServers(): Promise<PhaseServers> {
  const { server: identity } = loadPki();
  const [tls, python, silent] = await Promise.all([
    startNodeServer({
      identity,
      allowHalfOpen: true,
      // A resumed session asks nothing.
      secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
      onConnection: obey,
    }),
    startPythonServer({ identity }),
    // It accepts, and says nothing.
    startRawServer((socket) => socket.resume().on('end', () => socket.destroy())),
  ]);
  // The ClientHello gets through, and nothing behind it.
  const mute = await startRawServer((socket) => {
    const target = net.connect(tls.port, '127.0.0.1');
    target.on('error', () => {}).pipe(socket);
    socket.once('data', (hello) => {
      target.write(hello);
      socket.resume();
    });
    socket.on('end', () => socket.destroy()).on('close', () => target.destroy());
  });
  const ports = { tls: tls.port, python: python.port, silent: silent.port, mute: mute.port };
  return {
    ports,
    json: JSON.stringify(ports),
    close: async () => {
      await mute.close();
      await Promise.all([tls.close(), python.stop(), silent.close()]);
    },
  };
}
