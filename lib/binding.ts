/**
 * The native addon, typed by hand. The only file that loads or names it.
 */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { TLSClientCertError } from './errors';

/** A failure as native code reports it; `lib/failures.ts` makes an error of it. */
export interface FailureRecord {
  /** Stable name, for instance `'key-mismatch'` (native/openssl/failure.h). */
  readonly reason: string;
  /** Which of several inputs is at fault, from 0. */
  readonly index: number;
  readonly detail: string;
  /** OpenSSL's error queue, the root of the trouble first. */
  readonly stack: readonly OpenSSLErrorRecord[];
  /** The alert that the peer sent, if it sent one. */
  readonly alert?: number;
}

export interface OpenSSLErrorRecord {
  readonly text: string;
  readonly library: string;
  readonly reason: string;
}

/** What an operation needs next; the numbers are those of `Step` in connection.h. */
export const Step = {
  done: 0,
  wantRead: 1,
  wantVerify: 2,
  wantClientCert: 3,
  closed: 4,
  failed: 5,
  newSession: 6,
  renegotiated: 7,
  wantSignature: 8,
  ocspResponse: 9,
  wantSharedKey: 10,
} as const;
export type Step = (typeof Step)[keyof typeof Step];

/** The bits of what {@link NativeConnection.read} and `write()` return when they moved bytes. */
export const Moved = {
  /** How many. */
  bytes: 2 ** 29 - 1,
  /** All that there was is read, and nothing is to be told of: another call would be `wantRead`. */
  exhausted: 2 ** 30,
  /** There is something for `drain()`, or for the socket transport's `flush()`. */
  output: 2 ** 29,
} as const;

declare const brand: unique symbol;

export interface NativeTrustStore {
  readonly [brand]: 'TrustStore';
}

export interface NativeContext {
  setAsksForClientCert(asks: boolean): void;
  asksForClientCert(): boolean;
}

export interface NativeCredential {
  /** DER, leaf first, as it will be sent. */
  certificates(): Buffer[];
  /** The leaf's subject in DER. */
  subject(): Buffer;
  /** The issuers' names in DER, the leaf's first. */
  issuers(): Buffer[];
}

export interface NativeKeyInput {
  bytes: Uint8Array;
  passphrase?: Uint8Array | undefined;
}

export interface NativeRequest {
  phase: 'handshake' | 'renegotiation' | 'post-handshake';
  authorities: Buffer[];
  signatureSchemes: number[];
  certificateTypes: number[];
  attempt: number;
}

export interface NativeChainError {
  number: number;
  code: string;
  message: string;
}

export interface NativeClientAuth {
  /** As seen on the wire. */
  certificate: 'not-requested' | 'requested' | 'sent-empty' | 'sent';
  scheme: number | null;
  /** Which of the credentials set in advance was taken, or -1. */
  staticCredential: number;
  /** A session spared the handshake in which it would have been asked. */
  resumed: boolean;
  /** That session was made with a certificate: `staticCredential`, else `sessionCredential`. */
  resumedAsSomebody: boolean;
}

export interface NativeConnection {
  receive(ciphertext: Uint8Array): void;
  receiveEnd(): void;
  /** Bytes received and not yet used. */
  unread(): number;
  /** It sent close_notify, though a read may still have to tell of it. */
  closedByPeer(): boolean;
  /** Ciphertext for the peer, or undefined when there is none. */
  drain(): Buffer | undefined;
  /** Of what was drained, the bytes that the peer asked for and that are not sent yet. */
  setUnsentAnswers(bytes: number): void;
  handshake(): Step;
  /** A count of bytes with {@link Moved} bits, or a step as a negative number. */
  read(plaintext: Uint8Array): number;
  /** As {@link read}. */
  write(plaintext: Uint8Array): number;
  shutdown(): Step;
  renegotiate(): FailureRecord | null;
  disableRenegotiation(): void;
  serverChainError(): NativeChainError | null;
  acceptServer(): void;
  refuseServer(verifyError: number): void;
  request(): NativeRequest;
  whyNotSent(credential: NativeCredential): FailureRecord | null;
  answer(credential: NativeCredential): void;
  decline(): void;
  askAgain(): void;
  /** What is to be signed, after `wantSignature`; the scheme is 0 when it has no number. */
  signatureRequest(): { scheme: number; data: Buffer };
  /** In answer to `wantSignature`: null, or why the signature is none. */
  sign(signature: Uint8Array): FailureRecord | null;
  /** In answer to `ocspResponse`: DER, or null when the server stapled none. */
  ocspResponse(): Buffer | null;
  /** What is to be known about the key, after `wantSharedKey`; limits in bytes. */
  sharedKeyRequest(): { hint: string | null; maxIdentity: number; maxKey: number };
  /** In answer to `wantSharedKey`; without `identity` there is none. */
  answerSharedKey(identity?: string, key?: Uint8Array): void;
  /** Whether a shared key has shown who the server is, in place of a certificate. */
  bySharedKey(): boolean;
  logKeys(on: boolean): void;
  /** Each with its line end. */
  takeKeyLines(): Buffer[];
  /** False where OpenSSL was built without SSL_trace(3). */
  trace(): boolean;
  takeTrace(): Buffer;
  setMaxSendFragment(size: number): boolean;
  abandon(): void;
  /** In answer to `newSession`; empty unless `wanted`. */
  takeSession(wanted: boolean): Buffer;
  /** The current session, or empty. */
  session(): Buffer;
  sessionReused(): boolean;
  failure(): FailureRecord | null;
  clientAuth(): NativeClientAuth;
  protocol(): string;
  cipher(): { name: string | null; standardName: string | null; version: string | null };
  alpnProtocol(): string;
  /** Empty when the key exchange was not ephemeral. */
  ephemeralKey(): { type?: 'DH' | 'ECDH'; name?: string; size?: number };
  sharedSignatureAlgorithms(): string[];
  /** Of the server, or ours; empty before there is one. */
  finished(server: boolean): Buffer;
  /** Empty when there is none. */
  ticket(): Buffer;
  /** @throws Error with a {@link FailureRecord} */
  exportKeyingMaterial(length: number, label: string, context?: Uint8Array): Buffer;
  /** DER, leaf first, as the server sent it. */
  peerCertificates(): Buffer[];
  /** DER, leaf first, completed from the trust store as far as it goes. */
  verifiedCertificates(): Buffer[];
  /** Frees it at once; every later call throws. */
  destroy(): void;
}

/** What a {@link NativeSocketTransport} tells, as bits; the numbers are those of its `Event`. */
export const SocketEvent = {
  /** There is something to read, if only the end. */
  readable: 1,
  /** All that `flush()` had to leave over is sent. */
  sent: 2,
  /** The peer will send no more behind what is there. */
  hungUp: 4,
} as const;

/**
 * Ciphertext between a socket's descriptor and a connection, whose operations receive by themselves
 * and whose `write()` sends. What goes wrong there is told by these methods.
 */
export interface NativeSocketTransport {
  /** Sends what the connection has. 0: all of it; 1: `sent` will tell; below 0: an errno. */
  flush(): number;
  /** Receives what nobody reads for now. 0: open; 1: the peer has ended; below 0: an errno. */
  receive(all: boolean): number;
  /** Ends the writing side. 0, or an errno above it. */
  shutdown(): number;
  /** As of `net.Socket`, or of the peer; undefined where there is none. */
  address(ofPeer: boolean): AddressInfo | undefined;
  setNoDelay(on: boolean): void;
  /** @param delay - In seconds; 0 leaves it as it is. */
  setKeepAlive(on: boolean, delay: number): void;
  ref(): void;
  unref(): void;
  close(): void;
}

/** A key that stays in its provider. */
export interface NativeStoreKey {
  /** SubjectPublicKeyInfo in DER. */
  publicKey(): Buffer;
  /** Under which its provider begins a signature. */
  schemes(): number[];
  /** In libuv's thread pool; one at a time for each store. */
  sign(scheme: number, data: Uint8Array): Promise<Buffer>;
}

export interface NativeStoreContents {
  /** DER. */
  certificates: Buffer[];
  keys: NativeStoreKey[];
}

interface Addon {
  TrustStore: new (options: {
    authorities: Uint8Array[];
    crls: Uint8Array[];
    base?: NativeTrustStore | undefined;
    /** OpenSSL's own default files and folders instead of all these. */
    system?: boolean | undefined;
  }) => NativeTrustStore;
  Context: new (options: {
    trust: NativeTrustStore;
    minVersion: number;
    maxVersion: number;
    cipherList?: string | undefined;
    cipherSuites?: string | undefined;
    groups?: string | undefined;
    signatureSchemes?: string | undefined;
    /** For the client's own signatures; otherwise as above. */
    clientSignatureSchemes?: string | undefined;
    options: number;
    allowPartialTrustChain: boolean;
  }) => NativeContext;
  Credential: new (
    input:
      | { certificate: Uint8Array; chain: Uint8Array[]; keys: NativeKeyInput[] }
      /** Signatures come from elsewhere, under these schemes; none: under any. */
      | { certificate: Uint8Array; chain: Uint8Array[]; schemes: number[] }
      | { pfx: Uint8Array; passphrase?: Uint8Array | undefined },
  ) => NativeCredential;
  Connection: new (
    context: NativeContext,
    options: {
      serverName: string;
      alpnProtocols: Uint8Array;
      credentials: NativeCredential[];
      asks: boolean;
      postHandshakeAuth: boolean;
      reselects: boolean;
      requiresClientCert: boolean;
      requestsOcsp: boolean;
      /** In bits; 0: any will do. */
      minDHSize: number;
      hasSharedKeys: boolean;
      renegotiationLimit: number;
      /** In seconds. */
      renegotiationWindow: number;
      session: Uint8Array | undefined;
      /** `null`: `session` was made when a request was declined. */
      sessionCredential: NativeCredential | null | undefined;
    },
  ) => NativeConnection;
  /** @throws Error when the platform cannot poll the descriptor. */
  SocketTransport: new (
    connection: NativeConnection,
    options: {
      /** Whoever has it may close it afterwards: it is duplicated. */
      descriptor: number;
      /** Bytes received ahead of anybody's reading. */
      limit: number;
    },
    /** Called on a clean stack, with {@link SocketEvent} bits. */
    onEvent: (events: number) => void,
  ) => NativeSocketTransport;
  /** In libuv's thread pool. The passphrase is copied before this returns. */
  openStore(options: {
    uri: string;
    providers: readonly string[];
    propertyQuery?: string | undefined;
    passphrase?: Uint8Array | undefined;
  }): Promise<NativeStoreContents>;
  parseName(der: Uint8Array): { text: string; attributes: [string, string][] } | null;
  /** Whether a name in DER of one list is in the other, whatever its string types (RFC 5280, 7.1). */
  haveCommonName(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean;
  /** The issuers' names of the certificates in PEM or DER bytes; null when there is none. */
  issuers(certificates: Uint8Array): Buffer[] | null;
  /** Whether the one's memory has the higher address. */
  liesAbove(one: Uint8Array, other: Uint8Array): boolean;
  /** How many native objects are alive in this thread. */
  live(): {
    trustStores: number;
    contexts: number;
    credentials: number;
    connections: number;
    storeKeys: number;
    socketTransports: number;
  };
  opensslVersion: string;
}

function load(): Addon {
  // Hosts without OpenSSL (Electron, Bun: BoringSSL) would fail on the first missing symbol, with
  // a message that helps nobody.
  if (process.versions.openssl === undefined || 'electron' in process.versions) {
    throw unavailable('this program is not Node.js with OpenSSL (Electron and Bun use BoringSSL)');
  }
  try {
    // By require, because node-gyp-build brings no types.
    const nodeGypBuild = require('node-gyp-build') as (folder: string) => unknown;
    return nodeGypBuild(join(__dirname, '..')) as Addon;
  } catch (error) {
    throw unavailable(
      'no binary for this platform is in the package and none was built; `npm rebuild ' +
        'tls-client-cert` with a C++17 compiler and Python builds one',
      error,
    );
  }
}

function unavailable(why: string, cause?: unknown): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_TLS_ADDON_UNAVAILABLE',
    `tls-client-cert cannot load its native part: ${why}.`,
    { cause },
  );
}

export const binding: Addon = load();
