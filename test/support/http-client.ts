/** HTTP over one connection of ours, kept alive: Node's own client does the talking. */
import { Agent, type IncomingMessage, request } from 'node:http';
import type { TLSSocket } from '../../lib/index';
import { within } from './client';

export interface HttpResponse<Report> {
  readonly status: number | undefined;
  /** The `key=value` lines of the body. */
  readonly report: Report;
  readonly text: string;
}

/** Sends a request and waits for its response; with a body it is a POST. */
export type Ask<Report> = (path: string, body?: Buffer) => Promise<HttpResponse<Report>>;

class OneConnection extends Agent {
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  /** A second call would be a second connection: no test here may need one. */
  override createConnection(): TLSSocket {
    if (this.#socket.destroyed) throw new Error('the connection was not kept alive');
    return this.#socket;
  }
}

/** A function that makes requests over this socket, one after another. */
export function httpOver<Report>(socket: TLSSocket): Ask<Report> {
  const agent = new OneConnection(socket);
  return (path, body) => {
    const method = body === undefined ? 'GET' : 'POST';
    return within(
      `response to ${method} ${path}`,
      new Promise((resolve, reject) => {
        request({ agent, method, path, host: 'localhost' }, (response) => {
          read<Report>(response).then(resolve, reject);
        })
          .on('error', reject)
          .end(body);
      }),
      8_000,
    );
  };
}

async function read<Report>(response: IncomingMessage): Promise<HttpResponse<Report>> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const pairs = [...text.matchAll(/^(\w+)=(.*)$/gm)].map((match) => [match[1], match[2]]);
  return { status: response.statusCode, report: Object.fromEntries(pairs), text };
}
