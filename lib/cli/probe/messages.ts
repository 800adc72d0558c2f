import { alertName } from '../../alerts';

/** The messages of a handshake, as OpenSSL tells of them (SSL_trace(3)), with their times. */

export interface Message {
  readonly from: 'client' | 'server';
  /** Its name in RFC 8446 or RFC 5246, `Alert: …`, or what was asked by HTTP. */
  readonly name: string;
  /** Bytes of the message, where they are told. */
  readonly length: number | null;
  /** Milliseconds since the first message. */
  readonly at: number;
}

/** From the server's request to the answer, or to the end where there was none. */
export interface Suspended {
  readonly from: number;
  to: number;
  /** Before which message it ended: what came later stands behind it. */
  readonly after: number;
}

const RECORD = /^(Sent|Received) (?:TLS )?Record$/;
const MESSAGE = /^ {4}([A-Z][A-Za-z]+), Length=(\d+)$/;
/** Of a ServerHello; those that a ClientHello lists have no name in front. */
const CIPHER = /^ {6}cipher_suite \{0x[0-9A-F]{2}, 0x[0-9A-F]{2}\} ([A-Z0-9_a-z]+)$/;
const ALERT = /^ {4}Level=(\w+)\(\d+\), description=[\w ]+\((\d+)\)$/;

/** Names that may stand there; all else in the text is what the messages hold. */
const NAMES = new Set([
  ...['HelloRequest', 'ClientHello', 'ServerHello', 'NewSessionTicket', 'EncryptedExtensions'],
  ...['Certificate', 'ServerKeyExchange', 'CertificateRequest', 'ServerHelloDone'],
  ...['CertificateVerify', 'ClientKeyExchange', 'Finished', 'CertificateStatus', 'KeyUpdate'],
]);

export class Messages {
  readonly list: Message[] = [];
  readonly suspensions: Suspended[] = [];
  /** What the last ServerHello chose, by its IANA name. */
  cipher: string | null = null;
  #began: number | undefined;
  #from: Message['from'] = 'client';

  /** @param trace - What was written about the messages that came and went just now: whole lines. */
  read(trace: string): void {
    const at = this.#now();
    for (const line of trace.split('\n')) {
      const [, record] = RECORD.exec(line) ?? [];
      if (record !== undefined) this.#from = record === 'Sent' ? 'client' : 'server';
      const [, name = '', length] = MESSAGE.exec(line) ?? [];
      if (NAMES.has(name)) this.list.push({ from: this.#from, name, length: Number(length), at });
      this.cipher = CIPHER.exec(line)?.[1] ?? this.cipher;
      const [, level, alert] = ALERT.exec(line) ?? [];
      if (alert !== undefined) {
        this.list.push({
          from: this.#from,
          name: `Alert: ${alertName(Number(alert))} (${level})`,
          length: null,
          at,
        });
      }
    }
  }

  /** What we sent ourselves, inside of TLS. */
  sent(name: string): void {
    this.list.push({ from: 'client', name, length: null, at: this.#now() });
  }

  suspended(): void {
    const now = this.#now();
    this.suspensions.push({ from: now, to: now, after: this.list.length });
  }

  resumed(): void {
    const last = this.suspensions.at(-1);
    if (last !== undefined) last.to = this.#now();
  }

  #now(): number {
    const now = performance.now();
    this.#began ??= now;
    return now - this.#began;
  }
}
