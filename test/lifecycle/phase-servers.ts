/** The servers that bring connections into each of their phases. */
import { constants } from 'node:crypto';
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { startRawServer } from '../integration/stream-helpers';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { startPythonServer } from '../support/python-server';
import type { PhasePorts } from './phases';

/** Bytes. */
export const SENT_LATER = 300_000;

/** What is done to connections once somebody says `go`: while their client is blocked, for instance. */
class Plans {
  readonly #plans = new Map<net.Socket, () => void>();

  add(socket: net.Socket, plan: () => void): void {
    this.#plans.set(socket, plan);
    socket.once('close', () => this.#plans.delete(socket));
  }

  go(): void {
    for (const plan of this.#plans.values()) plan();
    this.#plans.clear();
  }
}

/** What a client may say as its first line to the `tls` server, which echoes all else. */
const COMMANDS: Readonly<Record<string, (socket: TLSSocket, plans: Plans) => void>> = {
  deaf: (socket, plans) => {
    socket.pause();
    plans.add(socket, () => countFor(socket));
  },
  hold: (socket, plans) => plans.add(socket, () => socket.end()),
  'send later': (socket, plans) => {
    plans.add(socket, () => socket.end(Buffer.alloc(SENT_LATER, 'pattern')));
  },
  'cut later': (socket, plans) => plans.add(socket, () => socket.destroy()),
  go: (socket, plans) => {
    plans.go();
    socket.end('gone');
  },
  end: (socket) => socket.end(),
  renegotiate: (socket) => {
    socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {});
    echo(socket);
  },
};

function echo(socket: TLSSocket): void {
  socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end());
}

/** Tells how much came, at its end. */
function countFor(socket: TLSSocket): void {
  let count = 0;
  socket.on('data', (chunk) => {
    count += chunk.length;
  });
  socket.once('end', () => socket.end(String(count))).resume();
}

function obey(socket: TLSSocket, plans: Plans): void {
  const endAtOnce = () => socket.end();
  socket.once('end', endAtOnce);
  socket.once('data', (line: Buffer) => {
    socket.off('end', endAtOnce);
    const command = COMMANDS[String(line).trim()];
    if (command !== undefined) {
      command(socket, plans);
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
  const { server: identity, clientCaA } = loadPki();
  const plans = new Plans();
  const [tls, python, silent] = await Promise.all([
    startNodeServer({
      identity,
      allowHalfOpen: true,
      // A resumed session asks nothing.
      secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
      onConnection: (socket) => obey(socket, plans),
    }),
    startPythonServer({ identity, clientCa: clientCaA.certPath }),
    // It accepts, and says nothing.
    startRawServer((socket) => {
      socket.resume().on('end', () => socket.destroy());
      plans.add(socket, () => socket.resetAndDestroy());
    }),
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
