/** What client and server say in plaintext before TLS, one function a protocol. */
import { type Dialogue, refused, unexpected } from './dialogue';
import { readMysqlPacket, serverOffersTls, sslRequest } from './mysql-packets';

export interface PreambleOptions {
  readonly name: string;
  readonly onGreeting: (greeting: Buffer) => unknown;
}

export type Preamble = (talk: Dialogue, options: PreambleOptions) => Promise<void>;

const BYTE = { S: 0x53, N: 0x4e, E: 0x45 };

/** https://www.postgresql.org/docs/current/protocol-flow.html, "SSL Session Encryption". */
const postgres: Preamble = async (talk) => {
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(80877103, 4);
  talk.send(request);
  const answer = await talk.read(1);
  if (answer[0] === BYTE.S) return;
  if (answer[0] === BYTE.N) throw refused();
  // An ErrorResponse is not to be shown, says the manual: nobody has vouched for it.
  throw answer[0] === BYTE.E ? unexpected('') : unexpected(answer);
};

/** RFC 3207; RFC 5321, section 4.2 for replies of several lines. */
const smtp: Preamble = async (talk, { name, onGreeting }) => {
  const greeting = await reply(talk);
  if (greeting.code !== '220') throw unexpected(greeting.text);
  onGreeting(Buffer.from(`${greeting.text}\r\n`, 'latin1'));
  talk.send(`EHLO ${name}\r\n`);
  const offers = await reply(talk);
  if (offers.code !== '250') throw unexpected(offers.text);
  if (!/^250[ -]STARTTLS\s*$/im.test(offers.text)) throw refused();
  talk.send('STARTTLS\r\n');
  const answer = await reply(talk);
  if (answer.code !== '220') throw refused(answer.text);
};

async function reply(talk: Dialogue): Promise<{ code: string; text: string }> {
  const lines: string[] = [];
  for (;;) {
    const line = await talk.readLine();
    lines.push(line);
    const [, code, more] = /^(\d{3})(-?)/.exec(line) ?? [];
    if (code === undefined) throw unexpected(line);
    if (more === '') return { code, text: lines.join('\r\n') };
  }
}

/** RFC 9051, section 6.2.1. */
const imap: Preamble = async (talk, { onGreeting }) => {
  const greeting = await talk.readLine();
  // PREAUTH: whoever is logged in already cannot go over to TLS any more.
  if (/^\* PREAUTH\b/i.test(greeting)) throw refused(greeting);
  if (!/^\* OK\b/i.test(greeting)) throw unexpected(greeting);
  onGreeting(Buffer.from(`${greeting}\r\n`, 'latin1'));
  talk.send('tls1 STARTTLS\r\n');
  for (;;) {
    const line = await talk.readLine();
    if (/^tls1 OK\b/i.test(line)) return;
    if (/^tls1 (NO|BAD)\b/i.test(line)) throw refused(line);
    if (!line.startsWith('* ')) throw unexpected(line);
  }
};

/** RFC 4511, section 4.14: ExtendedRequest 1.3.6.1.4.1.1466.20037, with message number 1. */
const LDAP_START_TLS = Buffer.from(
  '301d02010177188016312e332e362e312e342e312e313436362e3230303337',
  'hex',
);
const LDAP_MAX_LENGTH = 32 * 1024;
const TAG = {
  integer: 0x02,
  octets: 0x04,
  enumerated: 0x0a,
  sequence: 0x30,
  extendedResponse: 0x78,
};

const ldap: Preamble = async (talk) => {
  talk.send(LDAP_START_TLS);
  const message = new Ber(await ldapMessage(talk));
  const id = message.take(TAG.integer);
  const response = message.take(TAG.extendedResponse);
  const inside = new Ber(response);
  const code = inside.take(TAG.enumerated);
  inside.take(TAG.octets);
  const diagnostic = inside.take(TAG.octets);
  if (id.length !== 1 || id[0] !== 1) throw unexpected(diagnostic);
  if (code.length !== 1 || code[0] !== 0) {
    throw refused(`result ${code.toString('hex')}: ${diagnostic.toString('latin1')}`);
  }
};

async function ldapMessage(talk: Dialogue): Promise<Buffer> {
  const head = await talk.read(2);
  const [tag = 0, first = 0] = head;
  if (tag !== TAG.sequence) throw unexpected(head);
  if (first < 0x80) return talk.read(first);
  const size = first & 0x7f;
  if (size === 0 || size > 4) throw unexpected(head);
  const length = (await talk.read(size)).readUIntBE(0, size);
  if (length > LDAP_MAX_LENGTH) throw unexpected(head);
  return talk.read(length);
}

/** As much of BER (RFC 4511, section 5.1) as an LDAP result needs. */
class Ber {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  /** The contents of the next element, which has to have this tag. */
  take(tag: number): Buffer {
    const [found, first = 0xff] = this.#rest;
    const size = first < 0x80 ? 0 : first & 0x7f;
    if (found !== tag || size > 4 || this.#rest.length < 2 + size) throw unexpected(this.#rest);
    const length = size === 0 ? first & 0x7f : this.#rest.readUIntBE(2, size);
    const start = 2 + size;
    if (this.#rest.length < start + length) throw unexpected(this.#rest);
    const contents = this.#rest.subarray(start, start + length);
    this.#rest = this.#rest.subarray(start + length);
    return contents;
  }
}

/** https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html */
const mysql: Preamble = async (talk, { onGreeting }) => {
  const greeting = await readMysqlPacket(talk);
  if (!serverOffersTls(greeting)) throw refused();
  const answer = await talk.wait(onGreeting(greeting));
  talk.send(sslRequest(answer));
};

export const PREAMBLES = { postgres, smtp, imap, ldap, mysql } satisfies Record<string, Preamble>;
