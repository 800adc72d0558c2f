/**
 * One connection as one identity, and what the server said to it.
 */
import type { Credential } from '../../credential';
import type { TLSSocket } from '../../tls-socket';
import { CliError } from '../cli-error';
import { explain } from '../explain';
import { readAnswer, requestFor } from '../one-request';
import { type Opened, openConnection } from '../open-connection';
import type { Look } from './look';

/** What became of it. */
export type Outcome =
  /** Its certificate was taken. `evidence`: what shows it. */
  | { readonly is: 'accepted'; readonly evidence: Evidence }
  /** By the server: with an alert, or by closing the connection without a word. */
  | { readonly is: 'refused'; readonly alert: string | null }
  /** By HTTP, to somebody whose certificate arrived. `bySsl`: the server's TLS had a say in it. */
  | { readonly is: 'denied'; readonly status: number; readonly bySsl: boolean }
  /** No certificate was asked for. */
  | { readonly is: 'not-asked'; readonly status: number | null }
  /** Something else went wrong: the network, a PIN. */
  | { readonly is: 'failed'; readonly error: CliError };

export type Evidence =
  | { readonly by: 'http'; readonly status: number }
  /** It said something, or gave a ticket for the next time. */
  | { readonly by: 'data' | 'ticket' }
  /** On TLS 1.2 and below its Finished comes after it has looked at the certificate. */
  | { readonly by: 'handshake' }
  /** It said nothing against it for so long. */
  | { readonly by: 'silence'; readonly ms: number };

/** How long a server may take that has something against a certificate, in ms. */
const LONGEST_SILENCE = 1500;

/** Connects, shows the credential when it is asked for, and waits for what the server makes of it. */
export async function attempt(about: Look, credential: Credential): Promise<Outcome> {
  const { target, flags, path, signal } = about;
  let opened: Opened | undefined;
  try {
    opened = await openConnection(target, flags, {
      signal,
      clientCertCallback: () => credential,
      ...(path !== undefined && flags.alpn === undefined && { ALPNProtocols: ['http/1.1'] }),
    });
    // Before the handshake is over: a ticket may come with its last message.
    const ticket = once(opened.socket, 'session');
    await opened.secured;
    return path === undefined
      ? await listen(opened, ticket, flags.timeout * 1000)
      : await ask(opened, requestFor(path, target, flags.servername), flags.timeout * 1000);
  } catch (error) {
    signal.throwIfAborted();
    return failure(error, opened);
  } finally {
    opened?.socket.destroy();
  }
}

async function ask({ socket }: Opened, request: string, timeout: number): Promise<Outcome> {
  socket.write(request);
  const answer = await readAnswer(socket, timeout);
  const { status: shown } = socket.clientAuth;
  if (answer.is !== 'answer') {
    if (shown === 'not-requested') return { is: 'not-asked', status: null };
    if (answer.is === 'closed') return { is: 'refused', alert: null };
    const by = { by: 'data' } as const;
    return {
      is: 'accepted',
      evidence: answer.is === 'other' ? by : { by: 'silence', ms: timeout },
    };
  }
  const { status, body } = answer;
  if (shown === 'not-requested') return { is: 'not-asked', status };
  const bySsl = status === 495 || status === 496 || /SSL certificate (error|was sent)/i.test(body);
  const isDenied = bySsl || status === 403;
  return isDenied
    ? { is: 'denied', status, bySsl }
    : { is: 'accepted', evidence: { by: 'http', status } };
}

/** On TLS 1.3 a refusal comes after the client's handshake is done. */
async function listen(
  { socket }: Opened,
  ticket: Promise<unknown>,
  timeout: number,
): Promise<Outcome> {
  const isAsked = () => socket.clientAuth.status !== 'not-requested';
  if (!isAsked()) return { is: 'not-asked', status: null };
  if (socket.getProtocol() !== 'TLSv1.3') return accepted({ by: 'handshake' });
  const ms = Math.min(LONGEST_SILENCE, timeout);
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve(accepted({ by: 'silence', ms })), ms);
  });
  try {
    return await Promise.race([
      once(socket, 'data').then(() => accepted({ by: 'data' })),
      ticket.then(() => accepted({ by: 'ticket' })),
      once(socket, 'end').then((): Outcome => ({ is: 'refused', alert: null })),
      new Promise<never>((_, reject) => socket.once('error', reject)),
      silence,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

function accepted(evidence: Evidence): Outcome {
  return { is: 'accepted', evidence };
}

function once(socket: TLSSocket, event: string): Promise<unknown> {
  return new Promise((resolve) => socket.once(event, resolve));
}

/** How servers go that say nothing. */
const CLOSED = ['ECONNRESET', 'EPIPE', 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING'];

/** A server that ends things once it has seen the certificate has refused it, in its way. */
function failure(thrown: unknown, opened: Opened | undefined): Outcome {
  const cause = thrown instanceof CliError ? (thrown.cause ?? thrown) : thrown;
  const { alert, code } = cause as { alert?: string; code?: string };
  const wasSent = opened?.socket.clientAuth.status === 'sent';
  if (alert !== undefined && wasSent) return { is: 'refused', alert };
  if (CLOSED.includes(code ?? '') && wasSent) return { is: 'refused', alert: null };
  return { is: 'failed', error: opened?.explain(thrown) ?? explain(thrown) };
}
