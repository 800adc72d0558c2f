import type { TLSSocket } from '../../tls-socket';
import type { Target } from '../target';

/** A GET that asks for nothing but this one answer. */
export function requestFor(path: string, target: Target, servername: string | undefined): string {
  const host = servername ?? (target.host.includes(':') ? `[${target.host}]` : target.host);
  return [
    `GET ${path.replace(/[^\x21-\x7e]/gu, encodeURIComponent)} HTTP/1.1`,
    `Host: ${target.port === 443 ? host : `${host}:${target.port}`}`,
    'User-Agent: tls-client-cert',
    'Accept: */*',
    'Connection: close',
    '\r\n',
  ].join('\r\n');
}

/** Nobody's first line is longer. */
const LONGEST_LINE = 4096;

/** Resolves to the status in the first line that the server sends; to `null` where that is not HTTP's. */
export function statusOf(socket: TLSSocket): Promise<number | null> {
  return new Promise((resolve) => {
    let text = '';
    socket.once('close', () => resolve(null));
    socket.on('data', (bytes: Buffer) => {
      if (text.length > LONGEST_LINE) return;
      text += bytes.toString('latin1');
      if (!text.includes('\n') && text.length <= LONGEST_LINE) return;
      const status = /^HTTP\/1\.[01] (\d{3})\b/.exec(text)?.[1];
      resolve(status === undefined ? null : Number(status));
    });
  });
}
