/** One HTTP/1.1 request over a connection, as `curl` would do it. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { quietWhereAnswered } from '../../agents/truncation';
import type { TLSSocket } from '../../tls-socket';
import { CliError, usageError } from '../cli-error';
import { type ConnectionFlags, whyUnreadable } from '../connection-options';
import { ExitCode } from '../exit-codes';
import { NetworkClock } from '../network-clock';
import { hostHeader } from '../one-request';
import type { Target } from '../target';
import { StdinBody } from './stdin-body';

export interface RequestFlags {
  readonly request?: string;
  readonly method?: string;
  readonly header?: readonly string[];
  readonly data?: string;
  readonly include?: boolean;
}

/** A request that is ready to be sent. */
export interface HttpRequest {
  readonly path: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer | StdinBody | undefined;
  readonly include: boolean;
}

/**
 * What the flags ask for; undefined: no HTTP.
 *
 * @throws CliError of the kind `usage`.
 */
export function requestOf(target: Target, flags: RequestFlags): HttpRequest | undefined {
  const { request, method, header = [], data, include = false } = flags;
  const path = request ?? target.path;
  if (path === undefined) {
    const given = Object.entries({
      '-X': method,
      '-H': flags.header,
      '--data': data,
      '--include': flags.include,
    });
    const [flag] = given.find(([, value]) => value !== undefined) ?? [];
    if (flag === undefined) return undefined;
    throw usageError(`${flag} is for HTTP: give a URL, or a path by --request.`);
  }
  // What Node's parser refuses, told in our words.
  if (!/^(\/|\*$)[\x21-\x7e]*$/.test(path)) {
    throw usageError(
      `"${path}" is no path of a request: it begins with a slash, and blanks are written %20.`,
    );
  }
  const verb = method ?? (data === undefined ? 'GET' : 'POST');
  if (!/^[A-Z][A-Z0-9-]*$/.test(verb) || verb === 'CONNECT') {
    throw usageError(`"${verb}" is no method that can be used here.`);
  }
  return { path, method: verb, headers: header.map(headerOf), body: bodyOf(data), include };
}

function headerOf(text: string): readonly [string, string] {
  const [, name, value] = /^([^\s:]+):(.*)$/s.exec(text) ?? [];
  try {
    if (name === undefined || value === undefined) throw new Error('no colon');
    http.validateHeaderName(name);
    http.validateHeaderValue(name, value.trim());
    return [name, value.trim()];
  } catch (error) {
    // What follows may be a secret.
    const [shown = ''] = /^[^\s:]*/.exec(text) ?? [];
    throw usageError(`-H "${shown}…" is no header. The form is "Name: value".`, error);
  }
}

function bodyOf(data: string | undefined): HttpRequest['body'] {
  if (data === undefined || !data.startsWith('@'))
    return data === undefined ? data : Buffer.from(data);
  const file = data.slice(1);
  if (file === '-') return new StdinBody();
  try {
    return readFileSync(file);
  } catch (error) {
    throw usageError(`--data ${data} cannot be read: ${whyUnreadable(error)}.`, error);
  }
}

/** What came back. */
export interface HttpResponse {
  /** With its reason, for instance `404 Not Found`. */
  readonly status: string;
  /** Writes all of it, with status and headers if they are wanted, and resolves when it is whole. */
  write(output: NodeJS.WritableStream): Promise<void>;
}

/** Bytes of a body that are sent at once. */
const PIECE = 16 * 1024;
/**
 * Seconds for a body that the server does not read as fast as it is sent. Systems hold some megabytes of one, and take
 * more only when a good part of these has been read: what a slow reader does in between cannot be seen.
 */
const SLOW = 120;

/**
 * Sends it and waits for the response's beginning.
 *
 * @param flags - `timeout`: seconds for that, once all is sent, and before for each piece that is; more where a body
 *   goes slowly. While a certificate is asked for, they do not count. `servername`: whom the request is for.
 * @throws CliError of the kind `protocol` where the answer is no HTTP; else what goes wrong with the connection.
 */
export async function fetchOver(
  socket: TLSSocket,
  target: Target,
  { path, method, headers, body, include }: HttpRequest,
  { timeout, servername }: ConnectionFlags,
): Promise<HttpResponse> {
  quietWhereAnswered(socket, () => false);
  const { authority } = target;
  const createConnection = () => socket;
  const request = http.request({ path, method, createConnection });
  request.setHeader('Host', hostHeader(target, servername));
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  if (body !== undefined) frame(request, body, given);
  for (const name of given) {
    const values = headers
      .filter(([each]) => each.toLowerCase() === name)
      .map(([, value]) => value);
    request.setHeader(name, values.length === 1 ? (values[0] ?? '') : values);
  }
  const responded = once(request, 'response') as Promise<[IncomingMessage]>;
  // It may come together with the response's beginning, and says more than the response that breaks off.
  let failure: Error | undefined;
  let cut: Error | undefined;
  request.once('error', (error) => {
    failure = error;
    if (!(request as { res?: IncomingMessage }).res?.complete) cut = error;
  });
  const why = (error: unknown) => inOurWords(failure ?? (error as Error), authority);
  // Without a listener Node hangs up, and nothing more is heard of it.
  const upgraded = once(request, 'upgrade').then(([response]) => {
    const { statusCode, statusMessage } = response as IncomingMessage;
    const message = `${authority} goes over to another protocol (HTTP ${statusCode} ${statusMessage}), and only HTTP/1.1 is spoken here. Leave the header Upgrade away, or talk to it without --request and a URL.`;
    throw new CliError(ExitCode.protocol, 'CLI_HTTP_UPGRADE', message);
  });
  let limit = timeout;
  const expired = () => {
    const what = request.writableFinished
      ? `did not answer ${method} ${path} within ${limit} s`
      : `took nothing more of the body of ${method} ${path} for ${limit} s`;
    const message = `${authority} ${what}. Its log may say why; --timeout waits longer.`;
    request.destroy(new CliError(ExitCode.unreachable, 'CLI_TIMEOUT', message));
  };
  let taken = 0;
  const moves = () => {
    const before = taken;
    taken = socket.bytesWritten - socket.writableLength;
    // Until the end: the system holds the last of it no less.
    if (socket.writableLength > 0) limit = Math.max(timeout, SLOW);
    // Whoever types a body in may take a while, too.
    const isOurTurn = !request.writableFinished && socket.writableLength === 0;
    return isOurTurn || taken > before;
  };
  const clock = new NetworkClock(socket, () => limit * 1000, expired, moves);
  if (body instanceof StdinBody) body.flow(request);
  else if (body === undefined) request.end();
  else Readable.from(piecesOf(body)).pipe(request);
  try {
    const [response] = await Promise.race([responded, upgraded]);
    return new Received(response, include, why, () => cut);
  } catch (error) {
    throw why(error);
  } finally {
    clock.stop();
  }
}

/** So that it can be seen how far it came. */
function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += PIECE) yield body.subarray(at, at + PIECE);
}

/** The headers of a body. With GET, DELETE and the like, Node would send it without a word of how long it is. */
function frame(request: ClientRequest, body: Buffer | StdinBody, given: ReadonlySet<string>): void {
  // As curl says of it.
  request.setHeader('Content-Type', 'application/x-www-form-urlencoded');
  if (given.has('content-length') || given.has('transfer-encoding')) return;
  if (body instanceof StdinBody) request.setHeader('Transfer-Encoding', 'chunked');
  else request.setHeader('Content-Length', body.length);
}

/** Node's parser names the byte that it did not take. */
function inOurWords(error: NodeJS.ErrnoException, authority: string): Error {
  const { code = '', message } = error;
  if (!code.startsWith('HPE_')) return error;
  return new CliError(
    ExitCode.protocol,
    code,
    `What ${authority} answers is no HTTP/1.1 (${message}). Without --request and a URL, what it says is printed as it is.`,
    error,
  );
}

class Received implements HttpResponse {
  readonly #response: IncomingMessage;
  readonly #include: boolean;
  readonly #why: (error: unknown) => Error;
  readonly #cut: () => Error | undefined;

  /**
   * @param why - What became of the request, where the response breaks off with `error`.
   * @param cut - What went wrong before the response was whole.
   */
  constructor(
    response: IncomingMessage,
    include: boolean,
    why: (error: unknown) => Error,
    cut: () => Error | undefined,
  ) {
    this.#response = response;
    this.#include = include;
    this.#why = why;
    this.#cut = cut;
  }

  get status(): string {
    const { statusCode, statusMessage = '' } = this.#response;
    return `${statusCode} ${statusMessage}`.trimEnd();
  }

  async write(output: NodeJS.WritableStream): Promise<void> {
    const response = this.#response;
    if (this.#include) output.write(this.#head(), 'latin1');
    const ended = once(response, 'end');
    response.pipe(output, { end: false });
    // Cut short, it is an 'error'.
    await ended.catch((error) => {
      throw this.#why(error);
    });
    // Without a length it ends with the connection, to Node however that ends.
    const cut = this.#cut();
    if (cut !== undefined) throw cut;
  }

  #head(): string {
    const { httpVersion, rawHeaders } = this.#response;
    const lines = [`HTTP/${httpVersion} ${this.status}`];
    for (let i = 0; i < rawHeaders.length; i += 2) {
      lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
    }
    return `${lines.join('\r\n')}\r\n\r\n`;
  }
}
