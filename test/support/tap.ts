/** A TCP proxy that keeps the raw bytes of both directions, and a reader for TLS records. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { registerLeftover } from './leftovers';

export interface Tap {
  /** Connect here instead of to the server. */
  readonly port: number;
  /** Everything that clients sent so far. */
  readonly fromClient: Buffer;
  /** Everything that the server sent so far. */
  readonly fromServer: Buffer;
  /** Cuts every connection through the tap at once, in both directions. */
  cut(): void;
  /** From now on clients hear nothing of their servers. */
  hush(): void;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and forwards to `targetPort` there. */
export async function startTap(targetPort: number): Promise<Tap> {
  const sockets = new Set<Socket>();
  const fromClient: Buffer[] = [];
  const fromServer: Buffer[] = [];
  const targets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => fromClient.push(bytes));
    target.on('data', (bytes: Buffer) => fromServer.push(bytes));
    client.pipe(target);
    target.pipe(client);
    targets.add(target);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const close = async () => {
    forget();
    const closed = once(server, 'close');
    server.close();
    cut();
    await closed;
  };
  const forget = registerLeftover(close);
  return {
    port: (server.address() as AddressInfo).port,
    get fromClient() {
      return Buffer.concat(fromClient);
    },
    get fromServer() {
      return Buffer.concat(fromServer);
    },
    cut,
    hush() {
      for (const target of targets) target.unpipe();
    },
    close,
  };
}

export interface TlsRecord {
  readonly type: 'change_cipher_spec' | 'alert' | 'handshake' | 'application_data' | 'unknown';
  readonly body: Buffer;
}

const RECORD_TYPES: Readonly<Record<number, TlsRecord['type']>> = {
  20: 'change_cipher_spec',
  21: 'alert',
  22: 'handshake',
  23: 'application_data',
};

/** Splits raw bytes into TLS records (RFC 8446 section 5.1); a cut-off last one is left out. */
export function tlsRecords(bytes: Buffer): TlsRecord[] {
  const records: TlsRecord[] = [];
  let offset = 0;
  while (offset + 5 <= bytes.length) {
    const end = offset + 5 + bytes.readUInt16BE(offset + 3);
    if (end > bytes.length) break;
    const type = RECORD_TYPES[bytes.readUInt8(offset)] ?? 'unknown';
    records.push({ type, body: bytes.subarray(offset + 5, end) });
    offset = end;
  }
  return records;
}
