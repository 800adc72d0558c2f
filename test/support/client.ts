/** Connects this package's client to a test server and waits for how it ends, within bounds. */
import { X509Certificate } from 'node:crypto';
import type {
  CertificateRequest,
  ClientCertAnswer,
  ClientCertCallback,
  ConnectionOptions,
  TLSClientCertError,
  TLSSocket,
} from '../../lib/index';
import { connect } from '../../lib/index';
import { type Identity, loadPki } from './pki';
import { type SServer, type SServerOptions, startSServer } from './s-server';
import { patience } from './slowness';

export const PROTOCOLS = ['TLSv1.2', 'TLSv1.3'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

const WAIT_MS = patience(5_000);

export type AnyError = Error & Partial<TLSClientCertError>;

/** Rejects when `promise` has not settled in time, and says what was waited for. */
export function within<T>(what: string, promise: Promise<T>, ms = WAIT_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} in ${ms} ms`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A promise, and the function that fulfils it. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Connects to `localhost`, whose authority it trusts, on a test server's port. */
export function dial(server: { readonly port: number }, options: ConnectionOptions = {}) {
  const socket = connect({
    host: '127.0.0.1',
    port: server.port,
    servername: 'localhost',
    ...(options.secureContext === undefined && { ca: loadPki().serverCa.cert }),
    ...options,
  });
  return socket;
}

/** Resolves when the handshake is complete; a connection that fails instead is a failure. */
export function secured(socket: TLSSocket, ms?: number): Promise<TLSSocket> {
  return within(
    'secureConnect',
    new Promise((resolve, reject) => {
      socket.once('secureConnect', () => {
        socket.removeListener('error', reject);
        resolve(socket);
      });
      socket.once('error', reject);
    }),
    ms,
  );
}

/**
 * The error a connection ends with, once it is closed. One that ends without an error, or is
 * secured first, is a failure.
 */
export function failure(socket: TLSSocket): Promise<AnyError> {
  const was = { secured: false };
  socket.once('secureConnect', () => {
    was.secured = true;
    socket.destroy();
  });
  return endedBy(socket).then((error) => {
    if (was.secured) throw new Error('the connection was secured');
    return error;
  });
}

/** The error a connection ends with, whether or not it was secured before. */
export function endedBy(socket: TLSSocket): Promise<AnyError> {
  return within(
    'error',
    new Promise((resolve, reject) => {
      let seen: AnyError | undefined;
      socket.once('error', (error) => {
        seen = error as AnyError;
      });
      socket.once('close', () => {
        if (seen === undefined) reject(new Error('the connection closed without an error'));
        else resolve(seen);
      });
    }),
  );
}

/** Destroys the socket and resolves when it has closed. */
export function hangUp(socket: TLSSocket): Promise<void> {
  return within(
    'close',
    new Promise((resolve) => {
      socket.on('error', () => {});
      if (socket.closed) resolve();
      else socket.once('close', () => resolve());
      socket.destroy();
    }),
  );
}

/** Runs `use` with an `s_server` that asks for a client certificate, and stops the server. */
export async function withSServer(
  options: Partial<SServerOptions>,
  use: (server: SServer) => Promise<void>,
): Promise<void> {
  const server = await startSServer({
    identity: loadPki().server,
    requestCert: 'optional',
    ...options,
  });
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

/**
 * Asserts that no Certificate message of the client's, not even an empty one, reached the server,
 * once the server has given up the one handshake that failed.
 */
export async function expectNothingRevealed(server: SServer): Promise<void> {
  await server.waitFor(/^ERROR$/m);
  expect(server.clientCertificateMessageCount).toBe(0);
}

/** Asserts that the server's `nth` handshake showed this identity and these chain certificates. */
export async function expectIdentity(
  server: SServer,
  identity: Identity & { readonly chain?: string },
  nth = 1,
): Promise<void> {
  const seen = await server.sawClient(nth);
  expect(seen.subject).toBe(identity.subject);
  const expected = [identity.cert, ...pemBlocks(identity.chain ?? '')];
  expect(pemsOf(seen.chain)).toEqual(pemsOf(expected.map((pem) => new X509Certificate(pem))));
}

/** Asserts that the server's `nth` handshake was completed and showed no client certificate. */
export async function expectNobody(server: SServer, nth = 1): Promise<void> {
  expect(await server.sawClient(nth)).toEqual({ subject: undefined, chain: [], chainLength: 0 });
  expect(server.clientCertificateMessageCount).toBe(nth);
}

export function pemBlocks(text: string): string[] {
  return text.split(/(?=-----BEGIN)/).filter((block) => block.startsWith('-----BEGIN'));
}

export function pemsOf(certificates: readonly X509Certificate[]): string[] {
  return certificates.map((certificate) => certificate.toString());
}

/** The options of a credential with this identity's certificate, chain and key. */
export function credentialOf(identity: Identity & { readonly chain?: string }) {
  const { cert, key, chain } = identity;
  return chain === undefined ? { cert, key } : { cert, key, chain: pemBlocks(chain) };
}

/** Fulfilled with `value` a little later: many turns of the event loop, but no test's patience. */
export function later<T>(value: T, ms = 20): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, ms, value));
}

/** A callback that gives one answer after another, and what it was called with. */
export function inTurn(...answers: ReturnType<ClientCertCallback>[]) {
  const requests: CertificateRequest[] = [];
  const signals: AbortSignal[] = [];
  const clientCertCallback: ClientCertCallback = (request, { signal }) => {
    signals.push(signal);
    // One too many must not pass for a client that declines.
    if (requests.push(request) > answers.length) throw new Error('asked once too often');
    return answers[requests.length - 1];
  };
  return { requests, signals, clientCertCallback };
}

/** A callback that gives one answer after another, late, and the requests it was called with. */
export function answering(answers: readonly ClientCertAnswer[], ms?: number) {
  const requests: CertificateRequest[] = [];
  const clientCertCallback = (request: CertificateRequest) => {
    const answer = answers[requests.push(request) - 1];
    // One too many must not pass for a client that declines.
    if (answer === undefined) throw new Error(`request ${requests.length} was not expected`);
    return later(answer, ms);
  };
  return { requests, clientCertCallback };
}
