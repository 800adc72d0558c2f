/** As much of MySQL's protocol as is spoken before TLS, and numbered anew after it. */
import { types } from 'node:util';
import { TLSClientCertError } from '../errors';
import { type Dialogue, unexpected } from './dialogue';

export const HEADER_LENGTH = 4;
/** Capabilities, largest packet, character set, and 23 bytes of nothing: what an SSLRequest is. */
const SSL_REQUEST_LENGTH = 32;
/** Of which these say something. */
const SAYING = { from: HEADER_LENGTH, to: HEADER_LENGTH + 9 };
/** Where MariaDB has more capabilities, which a client without CLIENT_LONG_PASSWORD may say. */
const MARIADB = { from: HEADER_LENGTH + 28, to: HEADER_LENGTH + 32 };
const MAX_GREETING = 16 * 1024;
const PROTOCOL_VERSION = 10;
const ERROR_PACKET = 0xff;

const CLIENT_LONG_PASSWORD = 0x1;
const CLIENT_PROTOCOL_41 = 0x200;
const CLIENT_SSL = 0x800;
const CLIENT_SECURE_CONNECTION = 0x8000;
const CLIENT_PLUGIN_AUTH = 0x80000;
const CAPABILITIES =
  CLIENT_LONG_PASSWORD |
  CLIENT_PROTOCOL_41 |
  CLIENT_SSL |
  CLIENT_SECURE_CONNECTION |
  CLIENT_PLUGIN_AUTH;
const MAX_PACKET = 0x1000000;
const UTF8MB4 = 45;

/** The server's greeting, header included. */
export async function readMysqlPacket(talk: Dialogue): Promise<Buffer> {
  const header = await talk.read(HEADER_LENGTH);
  const length = header.readUIntLE(0, 3);
  if (header[3] !== 0 || length === 0 || length > MAX_GREETING) throw unexpected(header);
  const payload = await talk.read(length);
  // An error, for instance that there are too many connections: number, then words.
  if (payload[0] === ERROR_PACKET) throw unexpected(payload.subarray(3));
  if (payload[0] !== PROTOCOL_VERSION) throw unexpected(payload);
  return Buffer.concat([header, payload]);
}

export function serverOffersTls(greeting: Buffer): boolean {
  const versionEnd = greeting.indexOf(0, HEADER_LENGTH + 1);
  // The connection's number, eight bytes of scramble, and a filler stand between.
  const capabilities = versionEnd + 1 + 4 + 8 + 1;
  if (versionEnd === -1 || greeting.length < capabilities + 2) throw unexpected(greeting);
  return (greeting.readUInt16LE(capabilities) & CLIENT_SSL) !== 0;
}

/**
 * The head of a driver's own answer, where there is one: the server holds the driver to what it says.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_ssl_request.html,
 * https://mariadb.com/kb/en/connection/#sslrequest-packet
 *
 * @throws TLSClientCertError `ERR_STARTTLS_DRIVER`
 */
export function sslRequest(answer: unknown): Buffer {
  const packet = Buffer.alloc(HEADER_LENGTH + SSL_REQUEST_LENGTH);
  if (types.isUint8Array(answer)) {
    const capabilities = capabilitiesOf(answer);
    packet.set(answer.subarray(SAYING.from, SAYING.to), SAYING.from);
    packet.writeUInt32LE((capabilities | CLIENT_SSL) >>> 0, HEADER_LENGTH);
    if ((capabilities & CLIENT_LONG_PASSWORD) === 0) {
      packet.set(answer.subarray(MARIADB.from, MARIADB.to), MARIADB.from);
    }
  } else {
    packet.writeUInt32LE(CAPABILITIES, HEADER_LENGTH);
    packet.writeUInt32LE(MAX_PACKET, HEADER_LENGTH + 4);
    packet[HEADER_LENGTH + 8] = UTF8MB4;
  }
  packet.writeUIntLE(SSL_REQUEST_LENGTH, 0, 3);
  packet[3] = 1;
  return packet;
}

/** Of an answer whose head has nothing in it that is to be secret: an older one has the user's name there. */
function capabilitiesOf(answer: Uint8Array): number {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  if (bytes.length < HEADER_LENGTH + SSL_REQUEST_LENGTH) throw noAnswer();
  const capabilities = bytes.readUInt32LE(HEADER_LENGTH);
  if ((capabilities & CLIENT_PROTOCOL_41) === 0) {
    throw new TLSClientCertError(
      'ERR_STARTTLS_DRIVER',
      "The driver's answer to MySQL's greeting lacks CLIENT_PROTOCOL_41: have it speak the protocol of MySQL 4.1",
    );
  }
  return capabilities;
}

function noAnswer(): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_STARTTLS_DRIVER',
    "The driver's first packet is not the answer to MySQL's greeting: turn its own TLS off",
  );
}

/**
 * What a driver that knows nothing of TLS answers to the greeting, as it has to be for a server that does: it
 * says so, too.
 *
 * @throws TLSClientCertError `ERR_STARTTLS_DRIVER`
 */
export function announcingTls(answer: Uint8Array): Buffer {
  const packet = Buffer.from(answer);
  if (packet.length <= HEADER_LENGTH + SSL_REQUEST_LENGTH || packet[3] !== 1) throw noAnswer();
  packet.writeUInt32LE((capabilitiesOf(packet) | CLIENT_SSL) >>> 0, HEADER_LENGTH);
  return packet;
}

/**
 * Packets are numbered, and the SSLRequest has a number that a driver without TLS does not know of: until it
 * is logged in, what it sends is one too low for the server, and what it hears one too high for the driver.
 */
export class Renumbering {
  readonly #by: number;
  readonly #onPacket: (firstByte: number) => void;
  readonly #header: number[] = [];
  /** Bytes of the packet under way that are to come. */
  #left = 0;
  #first = true;

  constructor(by: 1 | -1, onPacket: (firstByte: number) => void = () => {}) {
    this.#by = by;
    this.#onPacket = onPacket;
  }

  /** The next bytes, however they are cut. The header's last byte is its packet's number. */
  pass(chunk: Uint8Array): Buffer {
    const bytes = Buffer.from(chunk);
    for (let at = 0; at < bytes.length; at += 1) {
      if (this.#left === 0) {
        if (this.#header.push(bytes[at] as number) < HEADER_LENGTH) continue;
        const [a = 0, b = 0, c = 0, number = 0] = this.#header.splice(0);
        bytes[at] = (number + this.#by) & 0xff;
        this.#left = a + b * 0x100 + c * 0x10000;
        this.#first = true;
      } else {
        if (this.#first) this.#onPacket(bytes[at] as number);
        this.#first = false;
        this.#left -= 1;
      }
    }
    return bytes;
  }
}
