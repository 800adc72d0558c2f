/**
 * One request, and as much of its answer as says what the server makes of it.
 */
import type { TLSSocket } from '../tls-socket';
import type { Target } from './target';

/** A GET that asks for nothing but this one answer. */
export function requestFor(path: string, target: Target, servername: string | undefined): string {
  return [
    `GET ${path.replace(/[^\x21-\x7e]/gu, encodeURIComponent)} HTTP/1.1`,
    `Host: ${hostHeader(target, servername)}`,
    'User-Agent: tls-client-cert',
    'Accept: */*',
    'Connection: close',
    '\r\n',
  ].join('\r\n');
}

/** Whom a request is for: who is asked for by SNI. */
export function hostHeader({ host, port }: Target, servername: string | undefined): string {
  const name = servername || host;
  const written = name.includes(':') ? `[${name}]` : name;
  return port === 443 ? written : `${written}:${port}`;
}

export type HttpAnswer =
  /** `body` is its beginning, where the status is an error: servers explain themselves there. */
  | { readonly is: 'answer'; readonly status: number; readonly body: string }
  /** Something else than HTTP came. */
  | { readonly is: 'other' }
  | { readonly is: 'closed' }
  | { readonly is: 'silent' };

/** Of an answer that is read to explain an error. */
const MOST = 16 * 1024;

/**
 * Reads until the status is known and, for an error, the beginning of the body.
 *
 * @param timeout - In milliseconds, for all of it.
 * @returns Rejects when the connection fails before anything came.
 */
export function readAnswer(socket: TLSSocket, timeout: number): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const settle = (answer: HttpAnswer | undefined) => {
      if (answer === undefined) return;
      clearTimeout(timer);
      socket.off('data', read).off('error', failed).off('end', ended).off('close', ended);
      resolve(answer);
    };
    const read = (bytes: Buffer) => {
      text += bytes.toString('latin1');
      settle(text.length > MOST ? incomplete(text, 'closed') : complete(text));
    };
    const ended = () => settle(incomplete(text, 'closed'));
    const failed = (error: Error) => {
      // What came before says more than how it ended.
      if (text !== '') return ended();
      clearTimeout(timer);
      reject(error);
    };
    const timer = setTimeout(() => settle(incomplete(text, 'silent')), timeout);
    socket.on('data', read).on('error', failed).on('end', ended).on('close', ended);
  });
}

/** 103 Early Hints and the like come before the answer. */
const INTERIM = /^(HTTP\/1\.[01] 1\d\d[\s\S]*?\r?\n\r?\n)+/;
const STATUS = /^HTTP\/1\.[01] (\d{3})\b/;
/** As long as the beginning of a status line. */
const ENOUGH = 'HTTP/1.1 200'.length;

/** What is known when nothing more comes, or nothing more is wanted. */
function incomplete(whole: string, otherwise: 'closed' | 'silent'): HttpAnswer {
  const text = whole.replace(INTERIM, '');
  const status = STATUS.exec(text)?.[1];
  if (status !== undefined)
    return { is: 'answer', status: Number(status), body: bodyOf(text) ?? '' };
  return { is: text === '' ? otherwise : 'other' };
}

/** Undefined as long as more is to come. */
function complete(whole: string): HttpAnswer | undefined {
  const text = whole.replace(INTERIM, '');
  const status = Number(STATUS.exec(text)?.[1] ?? 0);
  if (status === 0) return text.length < ENOUGH ? undefined : { is: 'other' };
  const body = bodyOf(text);
  if (body === undefined) return undefined;
  const length = Number(/\r?\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  return status < 400 || body.length >= length ? { is: 'answer', status, body } : undefined;
}

function bodyOf(text: string): string | undefined {
  const head = /\r?\n\r?\n/.exec(text);
  return head === null ? undefined : text.slice(head.index + head[0].length);
}
