/** What a client offers, read from its first message: RFC 8446 section 4.1.2. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tlsRecords } from './tap';

export interface ClientHello {
  readonly cipherSuites: readonly number[];
  /** Types in ascending order. */
  readonly extensions: readonly number[];
  readonly servername: string | undefined;
  readonly groups: readonly number[];
  readonly signatureSchemes: readonly number[];
  readonly versions: readonly number[];
  readonly alpnProtocols: readonly string[];
}

/** Has `dial` connect to a port of 127.0.0.1 and reads what it says first, then hangs up. */
export async function captureHello(dial: (port: number) => unknown): Promise<ClientHello> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const accepted = once(server, 'connection');
    dial((server.address() as AddressInfo).port);
    const [socket] = (await accepted) as [Socket];
    let bytes = Buffer.alloc(0);
    while (tlsRecords(bytes).length === 0) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      bytes = Buffer.concat([bytes, chunk]);
    }
    socket.destroy();
    return parse(tlsRecords(bytes)[0]?.body ?? bytes);
  } finally {
    server.close();
  }
}

/** Takes numbers and vectors off the front. */
class Reader {
  #offset = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  number(size: number): number {
    this.#offset += size;
    return this.#bytes.readUIntBE(this.#offset - size, size);
  }

  bytes(size: number): Buffer {
    this.#offset += size;
    return this.#bytes.subarray(this.#offset - size, this.#offset);
  }

  vector(lengthSize: number): Reader {
    return new Reader(this.bytes(this.number(lengthSize)));
  }

  all<T>(take: (reader: Reader) => T): T[] {
    const taken: T[] = [];
    while (!this.done) taken.push(take(this));
    return taken;
  }
}

const two = (reader: Reader) => reader.number(2);

function parse(message: Buffer): ClientHello {
  const reader = new Reader(message);
  reader.bytes(4 + 2 + 32);
  reader.vector(1);
  const cipherSuites = reader.vector(2).all(two);
  reader.vector(1);
  const extensions = new Map(
    reader.vector(2).all((list) => {
      const type = list.number(2);
      return [type, list.bytes(list.number(2))] as const;
    }),
  );
  const extension = (type: number) => new Reader(extensions.get(type) ?? Buffer.alloc(0));
  const listOf = (type: number, lengthSize: number) => {
    const found = extension(type);
    return found.done ? [] : found.vector(lengthSize).all(two);
  };
  const text = (list: Reader, lengthSize: number) => String(list.bytes(list.number(lengthSize)));
  const names = extension(0);
  const alpn = extension(16);
  return {
    cipherSuites,
    extensions: [...extensions.keys()].sort((a, b) => a - b),
    servername: names.done ? undefined : nameOf(names.vector(2)),
    groups: listOf(10, 2),
    signatureSchemes: listOf(13, 2),
    versions: listOf(43, 1),
    alpnProtocols: alpn.done ? [] : alpn.vector(2).all((list) => text(list, 1)),
  };

  function nameOf(list: Reader): string {
    list.number(1);
    return text(list, 2);
  }
}
