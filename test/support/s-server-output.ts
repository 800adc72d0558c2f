/** Reads what `openssl s_server -msg` prints: its own words, and the messages it received. */
import { X509Certificate } from 'node:crypto';

/** What the server saw of the client in one completed handshake. */
export interface SeenClient {
  /** The server's own `subject=` line; undefined when the client sent no certificate. */
  readonly subject: string | undefined;
  /** The certificates of the client's Certificate message, leaf first. Empty on a resumption. */
  readonly chain: readonly X509Certificate[];
  readonly chainLength: number;
}

/** What `s_server` prints at the end of each completed handshake. */
const HANDSHAKE_END = /^CIPHER is .*$/gm;

/** One entry for each handshake that completed so far; renegotiations print none. */
export function completedHandshakes(stdout: string): SeenClient[] {
  const seen: SeenClient[] = [];
  let start = 0;
  for (const end of stdout.matchAll(HANDSHAKE_END)) {
    const block = stdout.slice(start, end.index);
    start = end.index;
    const chain = clientCertificateMessages(block).at(-1) ?? [];
    const subject = /^subject=(.*)$/m.exec(block)?.[1];
    seen.push({ subject, chain, chainLength: chain.length });
  }
  return seen;
}

/**
 * The certificates of each Certificate message that clients sent so far, an empty list for an
 * empty message. Post-handshake and renegotiated ones count too.
 */
export function clientCertificateMessages(stdout: string): X509Certificate[][] {
  const messages =
    /^<<< (TLS 1\.[0-3]), Handshake \[length ([0-9a-f]+)\], Certificate\n((?: +[0-9a-f]{2})+(?:\n(?: +[0-9a-f]{2})+)*)/gm;
  const lists: X509Certificate[][] = [];
  for (const [, protocol, length, dump = ''] of stdout.matchAll(messages)) {
    const bytes = Buffer.from(dump.replace(/\s+/g, ''), 'hex');
    // The last message may not have been printed to its end yet.
    if (bytes.length !== Number.parseInt(length ?? '', 16)) continue;
    lists.push(parseCertificateMessage(bytes, protocol === 'TLS 1.3'));
  }
  return lists;
}

/** The output less the bytes that `-msg` dumps, for messages that a person reads. */
export function withoutDumps(output: string): string {
  return output.replace(/^ {4}(?:[0-9a-f]{2} ?)+\n/gm, '');
}

/** RFC 8446 section 4.4.2, or RFC 5246 section 7.4.2, with the handshake header before it. */
function parseCertificateMessage(message: Buffer, isTls13: boolean): X509Certificate[] {
  let offset = 4;
  if (isTls13) offset += 1 + message.readUInt8(offset);
  const end = offset + 3 + message.readUIntBE(offset, 3);
  offset += 3;
  const certificates: X509Certificate[] = [];
  while (offset < end) {
    const length = message.readUIntBE(offset, 3);
    certificates.push(new X509Certificate(message.subarray(offset + 3, offset + 3 + length)));
    offset += 3 + length;
    if (isTls13) offset += 2 + message.readUInt16BE(offset);
  }
  return certificates;
}
