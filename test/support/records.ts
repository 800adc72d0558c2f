/**
 * Forges TLS 1.3 records between a real server and its client, for faults that no server can be
 * talked into. A proxy that knows the connection's secrets, from a key log, numbers all records
 * anew once it has added or taken one (RFC 8446 sections 5.2, 5.3, 7.1 and 7.3).
 */
import { createCipheriv, createDecipheriv, createHmac, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Server as TLSServer } from 'node:tls';
import { registerLeftover } from './leftovers';
import { patience } from './slowness';

export const ALERT = 21;
export const HANDSHAKE = 22;
const APPLICATION_DATA = 23;

const CERTIFICATE = 11;
const CERTIFICATE_REQUEST = 13;
const FINISHED = 20;
const KEY_UPDATE = 24;

/** All that was logged so far, in the NSS key log format. */
export type KeyLog = () => string;

/** The log of `openssl s_server -keylogfile`, or of Python's `keyLogPath`. */
export function keyLogFile(path: string): KeyLog {
  return () => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
}

/** The log of a node:tls server. */
export function keyLogOf(server: TLSServer): KeyLog {
  let text = '';
  server.on('keylog', (line: Buffer) => {
    text += line;
  });
  return () => text;
}

/** A plaintext fatal alert, as a TLS 1.2 server may send one before its ChangeCipherSpec. */
export function plaintextAlert(description: number): Buffer {
  return Buffer.of(ALERT, 3, 3, 0, 2, 2, description);
}

/** The plaintext of a fatal alert, or of close_notify (0), for {@link TLS13Proxy.inject}. */
export function alert(description: number): Buffer {
  return Buffer.of(description === 0 ? 1 : 2, description);
}

/** The plaintext of a HelloRequest (RFC 5246 section 7.4.1.1). */
export const HELLO_REQUEST = Buffer.alloc(4);

/** A CertificateRequest (RFC 8446 section 4.3.2) that names no authorities. */
export function certificateRequest(
  context: Buffer,
  // ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256
  signatureSchemes: readonly number[] = [0x0403, 0x0804],
): Buffer {
  const schemes = vector(2, Buffer.concat(signatureSchemes.map((scheme) => bigEndian(2, scheme))));
  const extension = Buffer.concat([bigEndian(2, 13), vector(2, schemes)]);
  const body = Buffer.concat([vector(1, context), vector(2, extension)]);
  return Buffer.concat([Buffer.of(CERTIFICATE_REQUEST), vector(3, body)]);
}

/** A message that went by in encrypted records, less the application's data. */
export type Message =
  | { readonly type: 'alert'; readonly level: number; readonly description: number }
  | { readonly type: 'request'; readonly context: Buffer }
  | {
      readonly type: 'certificate';
      /** That of the request it answers; empty in the handshake. */
      readonly context: Buffer;
      /** Leaf first; none when the client declined. */
      readonly chain: readonly X509Certificate[];
    }
  /** Any other handshake message, by its number. */
  | { readonly type: 'handshake'; readonly number: number };

/** An authenticated cipher of TLS 1.3, by its numbers. */
export interface Suite {
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
  readonly keyLength: number;
  readonly hash: 'sha256' | 'sha384';
}

export const SUITES: Readonly<Record<number, Suite>> = {
  4865: { cipher: 'aes-128-gcm', keyLength: 16, hash: 'sha256' },
  4866: { cipher: 'aes-256-gcm', keyLength: 32, hash: 'sha384' },
  4867: { cipher: 'chacha20-poly1305', keyLength: 32, hash: 'sha256' },
};
const TAG_LENGTH = 16;

/** The keys of one direction in one epoch. */
class TrafficKeys {
  readonly #suite: Suite;
  readonly #key: Buffer;
  readonly #iv: Buffer;

  constructor(suite: Suite, secret: Buffer) {
    this.#suite = suite;
    this.#key = expandLabel(suite, secret, 'key', suite.keyLength);
    this.#iv = expandLabel(suite, secret, 'iv', 12);
  }

  seal(sequence: bigint, contentType: number, content: Buffer): Buffer {
    const inner = Buffer.concat([content, Buffer.of(contentType)]);
    const header = Buffer.of(APPLICATION_DATA, 3, 3, 0, 0);
    header.writeUInt16BE(inner.length + TAG_LENGTH, 3);
    const cipher = createCipheriv(
      this.#suite.cipher as 'aes-128-gcm',
      this.#key,
      this.#nonce(sequence),
      {
        authTagLength: TAG_LENGTH,
      },
    );
    cipher.setAAD(header);
    const sealed = cipher.update(inner);
    return Buffer.concat([header, sealed, cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws when the record was not sealed with these keys and this number. */
  open(sequence: bigint, record: Buffer): { contentType: number; content: Buffer } {
    const cipher = createDecipheriv(
      this.#suite.cipher as 'aes-128-gcm',
      this.#key,
      this.#nonce(sequence),
      {
        authTagLength: TAG_LENGTH,
      },
    );
    cipher.setAAD(record.subarray(0, 5));
    cipher.setAuthTag(record.subarray(-TAG_LENGTH));
    const inner = cipher.update(record.subarray(5, -TAG_LENGTH));
    cipher.final();
    let end = inner.length - 1;
    while (inner[end] === 0) end -= 1;
    return { contentType: inner[end] ?? 0, content: inner.subarray(0, end) };
  }

  #nonce(sequence: bigint): Buffer {
    const nonce = Buffer.from(this.#iv);
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ sequence, 4);
    return nonce;
  }
}

/** HKDF-Expand-Label without a context; none of its results is longer than one block of the hash. */
function expandLabel(suite: Suite, secret: Buffer, label: string, length: number): Buffer {
  const info = [bigEndian(2, length), vector(1, Buffer.from(`tls13 ${label}`)), Buffer.of(0, 1)];
  return createHmac(suite.hash, secret).update(Buffer.concat(info)).digest().subarray(0, length);
}

/** What goes in one direction of TLS 1.3: its records opened, counted and, if need be, sealed anew. */
export class Direction {
  readonly messages: Message[] = [];
  /** Bytes of the application's data that went by. */
  dataSize = 0;
  /** Whether the record just opened is not to be passed on. */
  drops: (message: Message, isEnd: boolean) => boolean = () => false;
  readonly #secrets: readonly (() => { suite: Suite; secret: Buffer } | undefined)[];
  #epoch = 0;
  #keys: TrafficKeys | undefined;
  #arrived = 0n;
  #left = 0n;
  /** Sealed records that were passed on, while the log did not have their secret yet. */
  #backlog: Buffer[] = [];
  #handshake = Buffer.alloc(0);

  /** @param secrets - Of the handshake and of the application's data. */
  constructor(secrets: readonly (() => { suite: Suite; secret: Buffer } | undefined)[]) {
    this.#secrets = secrets;
  }

  /** What to pass on in place of this record: itself, itself sealed anew, or nothing. */
  pass(record: Buffer): Buffer | undefined {
    if (record[0] !== APPLICATION_DATA) return record;
    if (!this.catchUp()) {
      this.#backlog.push(record);
      return record;
    }
    const keys = this.#currentKeys();
    if (keys === undefined) {
      this.#backlog.push(record);
      return record;
    }
    const { contentType, content } = keys.open(this.#arrived, record);
    this.#arrived += 1n;
    const number = this.#left;
    const changed = number + 1n !== this.#arrived;
    const dropped = this.#note(contentType, content);
    if (dropped) return undefined;
    if (this.#keys === keys) this.#left = number + 1n;
    return changed ? keys.seal(number, contentType, content) : record;
  }

  /** A record that nobody sent, with the number that is next. */
  forge(contentType: number, content: Buffer): Buffer {
    const keys = this.catchUp() ? this.#currentKeys() : undefined;
    if (keys === undefined) throw new Error('the keys to forge a record with are not in the log');
    const forged = keys.seal(this.#left, contentType, content);
    this.#left += 1n;
    return forged;
  }

  /** Opens what could not be opened when it went by; false where that is still so. */
  catchUp(): boolean {
    while (this.#backlog[0] !== undefined) {
      const keys = this.#currentKeys();
      if (keys === undefined) return false;
      const { contentType, content } = keys.open(this.#arrived, this.#backlog[0]);
      this.#backlog.shift();
      this.#arrived += 1n;
      this.#left += 1n;
      this.#note(contentType, content);
    }
    return true;
  }

  #currentKeys(): TrafficKeys | undefined {
    if (this.#keys === undefined) {
      const found = this.#secrets[this.#epoch]?.();
      if (found !== undefined) this.#keys = new TrafficKeys(found.suite, found.secret);
    }
    return this.#keys;
  }

  /** Keeps the messages of a record, and says whether it is to be dropped. */
  #note(contentType: number, content: Buffer): boolean {
    if (contentType === ALERT) {
      const [level = 0, description = 0] = content;
      this.messages.push({ type: 'alert', level, description });
    }
    if (contentType === APPLICATION_DATA) this.dataSize += content.length;
    if (contentType !== HANDSHAKE) return false;
    let dropped = false;
    this.#handshake = Buffer.concat([this.#handshake, content]);
    while (this.#handshake.length >= 4) {
      const end = 4 + this.#handshake.readUIntBE(1, 3);
      // A message in several records: a drop decided at its end would come too late.
      if (end > this.#handshake.length) break;
      const type = this.#handshake.readUInt8(0);
      const message = parse(type, this.#handshake.subarray(4, end));
      this.#handshake = this.#handshake.subarray(end);
      if (type === KEY_UPDATE) throw new Error('this proxy knows no KeyUpdate');
      this.messages.push(message);
      dropped = this.drops(message, type === FINISHED) || dropped;
      if (type === FINISHED && this.#epoch === 0) this.#nextEpoch();
    }
    return dropped;
  }

  /** After the Finished of the handshake other keys are used, and numbers begin at 0. */
  #nextEpoch(): void {
    this.#epoch = 1;
    this.#keys = undefined;
    this.#arrived = 0n;
    this.#left = 0n;
  }
}

/** Listens on a free port and passes one connection at a time on to a TLS 1.3 server. */
export class TLS13Proxy {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #keyLog: KeyLog;
  readonly #forget = registerLeftover(() => this.close());
  readonly #sockets = new Set<Socket>();
  readonly #checks = new Set<() => void>();
  #client: Socket | undefined;
  #fromClient = new Direction([]);
  #fromServer = new Direction([]);
  #forgedContexts: Buffer[] = [];
  /** What went wrong in the proxy itself; every wait fails with it. */
  #error: unknown;

  private constructor(targetPort: number, keyLog: KeyLog) {
    this.#targetPort = targetPort;
    this.#keyLog = keyLog;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async start(targetPort: number, keyLog: KeyLog): Promise<TLS13Proxy> {
    const proxy = new TLS13Proxy(targetPort, keyLog);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Sends the client a record as if from the server, which learns nothing of it. What the client
   * answers to a forged CertificateRequest is kept from the server.
   */
  inject(contentType: number, plaintext: Buffer): void {
    if (contentType === HANDSHAKE && plaintext[0] === CERTIFICATE_REQUEST) {
      const request = parse(CERTIFICATE_REQUEST, plaintext.subarray(4));
      if (request.type === 'request') this.#forgedContexts.push(request.context);
    }
    this.injectRaw(this.#fromServer.forge(contentType, plaintext));
  }

  /** Sends the client these bytes as they are: {@link plaintextAlert}. */
  injectRaw(bytes: Buffer): void {
    if (this.#client === undefined) throw new Error('no client is connected');
    this.#client.write(bytes);
  }

  /** Ends the connection towards the client: FIN, without close_notify unless that was injected. */
  fin(): void {
    this.#client?.end();
  }

  /** Resets the connection towards the client. */
  reset(): void {
    this.#client?.resetAndDestroy();
  }

  /** What the client of the last connection sent so far under encryption, but for its data. */
  clientMessages(): readonly Message[] {
    this.#fromClient.catchUp();
    return this.#fromClient.messages;
  }

  /** What the server of the last connection sent, but for its data and what was injected. */
  serverMessages(): readonly Message[] {
    this.#fromServer.catchUp();
    return this.#fromServer.messages;
  }

  /** How many bytes of data the server of the last connection sent. */
  serverDataSize(): number {
    this.#fromServer.catchUp();
    return this.#fromServer.dataSize;
  }

  /** Resolves as soon as `look` finds something, asked again whenever something went by. */
  until<T>(what: string, look: () => T | undefined | false, ms = patience(5_000)): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      const check = () => {
        const found = this.#error === undefined && look();
        if (this.#error !== undefined || found) finish();
        if (this.#error !== undefined) reject(this.#error);
        else if (found) resolve(found);
      };
      const timer = setTimeout(() => {
        finish();
        const types = this.clientMessages().map(({ type }) => type);
        reject(new Error(`no ${what} in ${ms} ms; the client sent: ${types.join(' ')}`));
      }, ms);
      this.#checks.add(check);
      check();
    });
  }

  async close(): Promise<void> {
    this.#forget();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    const target = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true });
    let random = '';
    let suite: Suite | undefined;
    const secret = (label: string) => () => {
      const line = new RegExp(`^${label} ${random} ([0-9a-f]+)$`, 'm').exec(this.#keyLog());
      if (suite === undefined || line?.[1] === undefined) return undefined;
      return { suite, secret: Buffer.from(line[1], 'hex') };
    };
    const directionOf = (name: string) =>
      new Direction([
        secret(`${name}_HANDSHAKE_TRAFFIC_SECRET`),
        secret(`${name}_TRAFFIC_SECRET_0`),
      ]);
    const fromClient = directionOf('CLIENT');
    const fromServer = directionOf('SERVER');
    fromClient.drops = this.#answersToForgedRequests();
    this.#client = client;
    this.#fromClient = fromClient;
    this.#fromServer = fromServer;
    const relay = (
      source: Socket,
      sink: Socket,
      direction: Direction,
      plain: (record: Buffer) => void,
    ) => {
      let bytes = Buffer.alloc(0);
      source.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        const out: Buffer[] = [];
        while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) {
          const record = bytes.subarray(0, 5 + bytes.readUInt16BE(3));
          bytes = bytes.subarray(record.length);
          if (record[0] === HANDSHAKE) plain(record);
          try {
            const passed = direction.pass(record);
            if (passed !== undefined) out.push(passed);
          } catch (error) {
            this.#error = error;
            source.destroy();
            break;
          }
        }
        if (out.length > 0 && sink.writable && !sink.write(Buffer.concat(out))) source.pause();
        this.#recheck();
      });
      sink.on('drain', () => source.resume());
      source.on('end', () => sink.end());
      source.on('error', () => sink.destroy());
      source.on('close', () => {
        this.#sockets.delete(source);
        sink.destroy();
        this.#recheck();
      });
      this.#sockets.add(source);
    };
    // Header of the record, of the message, version, random (of a ClientHello or a ServerHello).
    const randomEnd = 5 + 4 + 2 + 32;
    relay(client, target, fromClient, (record) => {
      if (record[5] === 1) random = record.toString('hex', randomEnd - 32, randomEnd);
    });
    relay(target, client, fromServer, (record) => {
      if (record[5] !== 2) return;
      const sessionIdLength = record.readUInt8(randomEnd);
      suite = SUITES[record.readUInt16BE(randomEnd + 1 + sessionIdLength)];
    });
  }

  /** From the Certificate that answers a forged request to the Finished after it. */
  #answersToForgedRequests(): Direction['drops'] {
    this.#forgedContexts = [];
    let dropping = false;
    return (message, isEnd) => {
      if (message.type === 'certificate') {
        dropping = this.#forgedContexts.some((context) => context.equals(message.context));
      }
      const drop = dropping;
      if (isEnd) dropping = false;
      return drop;
    };
  }

  #recheck(): void {
    for (const check of [...this.#checks]) check();
  }
}

function parse(type: number, body: Buffer): Message {
  if (type !== CERTIFICATE && type !== CERTIFICATE_REQUEST) {
    return { type: 'handshake', number: type };
  }
  let offset = 1 + body.readUInt8(0);
  const context = Buffer.from(body.subarray(1, offset));
  if (type === CERTIFICATE_REQUEST) return { type: 'request', context };
  offset += 3;
  const chain: X509Certificate[] = [];
  while (offset < body.length) {
    const end = offset + 3 + body.readUIntBE(offset, 3);
    chain.push(new X509Certificate(body.subarray(offset + 3, end)));
    offset = end + 2 + body.readUInt16BE(end);
  }
  return { type: 'certificate', context, chain };
}

/** An integer as TLS writes it (RFC 8446 section 3.3). */
export function bigEndian(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

/** Bytes behind their length, which takes so many bytes itself (RFC 8446 section 3.4). */
export function vector(lengthSize: number, content: Buffer): Buffer {
  return Buffer.concat([bigEndian(lengthSize, content.length), content]);
}
