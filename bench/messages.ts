/** What the benchmark's processes tell each other. */

/** All PEM. */
export interface Credentials {
  readonly serverCert: string;
  readonly serverKey: string;
  readonly serverCa: string;
  readonly clientCert: string;
  readonly clientKey: string;
  readonly clientCa: string;
}

/** Of `server.ts`. */
export interface Ports {
  /** Says one byte to each client and closes. */
  readonly greeting: number;
  /** Keeps clients and says nothing. */
  readonly silent: number;
  /** Sends back what comes behind a first line. */
  readonly echo: number;
  /** Answers each request of HTTP with a kilobyte. */
  readonly https: number;
}

/** What a client's process is told first. */
export interface Setup {
  readonly keys: Credentials;
  readonly port: number;
}

/** The names of what is measured; the files in `clients/` say what each does. */
export const HANDSHAKES = ['node', 'at-once', 'at-once-stream', 'suspended', 'static'] as const;
export type HandshakeKind = (typeof HANDSHAKES)[number];

/** The same key: in memory, behind a signer that answers at once, or after one turn of the loop. */
export const SIGNERS = ['memory', 'signer', 'signer-turn'] as const;
export type SignerKind = (typeof SIGNERS)[number];

/** How the key keeps its user waiting: by a promise, or by holding on to the thread. */
export const STALLS = ['waits', 'blocks'] as const;
export type StallKind = (typeof STALLS)[number];

/** A key on a PKCS#11 token, and the same in memory. */
export const KEYS = ['token', 'memory'] as const;
export type KeyPlace = (typeof KEYS)[number];

export const HOLDS = ['node-idle', 'idle', 'suspended'] as const;
export type HoldKind = (typeof HOLDS)[number];

export const TRANSFERS = ['node', 'at-once', 'suspended', 'reused'] as const;
export type TransferKind = (typeof TRANSFERS)[number];

export const DIRECTIONS = ['download', 'upload'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** Whose client: Node's own, this package's, and this one's kept off the socket. */
export const CLIENTS = ['node', 'ours', 'ours-stream'] as const;
export type ClientKind = (typeof CLIENTS)[number];

export const THROUGHPUT_DIRECTIONS = ['receive', 'onread', 'send'] as const;
export type ThroughputDirection = (typeof THROUGHPUT_DIRECTIONS)[number];

/** HTTP clients, by whose connections: Node's own with a static certificate, or this package's. */
export const WEB_CLIENTS = ['https', 'https-ours', 'undici', 'undici-ours'] as const;
export type WebClientKind = (typeof WEB_CLIENTS)[number];

export const MOMENTS = ['tls12', 'tls13', 'post-handshake'] as const;
export type Moment = (typeof MOMENTS)[number];

export const WAYS = ['at-once', 'promise', 'resume'] as const;
export type Way = (typeof WAYS)[number];

export interface HandshakesTask {
  readonly task: 'handshakes';
  readonly kind: HandshakeKind | SignerKind;
  readonly count: number;
  readonly concurrency: number;
}

export interface ResumptionsTask {
  readonly task: 'resumptions';
  readonly kind: ClientKind;
  readonly count: number;
  readonly concurrency: number;
}

export interface StallTask {
  readonly task: 'stall';
  readonly kind: StallKind;
  /** Handshakes at the same time. */
  readonly count: number;
  /** Milliseconds that a signature takes. */
  readonly signature: number;
}

export interface TokenTask {
  readonly task: 'token';
  readonly kind: KeyPlace;
  readonly count: number;
  readonly concurrency: number;
  /** The PKCS#11 module's path. */
  readonly module: string;
  /** Of the certificate, with its PIN. */
  readonly uri: string;
}

export interface HoldTask {
  readonly task: 'hold';
  readonly kind: HoldKind;
  readonly count: number;
}

/** What becomes of a crowd, one after another; between the first and the last it may be watched. */
export interface CrowdTask {
  readonly task: 'crowd';
  readonly kind: 'suspend' | 'watch' | 'answer';
  /** Handshakes suspended at once. */
  readonly count: number;
}

export interface TransferTask {
  readonly task: 'transfer';
  readonly kind: TransferKind;
  readonly direction: Direction;
  readonly bytes: number;
  /** Bytes between two requests of the server's; 0: it asks for nothing. */
  readonly every: number;
}

export interface ThroughputTask {
  readonly task: 'throughput';
  readonly kind: ClientKind;
  readonly direction: ThroughputDirection;
  readonly bytes: number;
}

export interface RequestsTask {
  readonly task: 'requests';
  readonly kind: ClientKind;
  readonly connections: number;
  /** Requests at a time, on different connections; all connections take their turn. */
  readonly underWay: number;
  /** Requests, on all connections together. */
  readonly count: number;
  /** Bytes of a request, and of its reply. */
  readonly size: number;
}

export interface WebTask {
  readonly task: 'web';
  readonly kind: WebClientKind;
  /** Keep connections for later requests, or open one for each. */
  readonly keep: boolean;
  /** Requests at a time, each on a connection. */
  readonly underWay: number;
  readonly count: number;
}

export interface LatencyTask {
  readonly task: 'latency';
  /** `'signature'`: no connection, the least that any answer costs. */
  readonly kind: `${Moment} ${Way}` | 'signature';
  readonly count: number;
}

export type Task =
  | HandshakesTask
  | ResumptionsTask
  | StallTask
  | TokenTask
  | HoldTask
  | CrowdTask
  | TransferTask
  | ThroughputTask
  | RequestsTask
  | WebTask
  | LatencyTask;

/** Per handshake, in microseconds. */
export interface HandshakeSample {
  readonly cpu: number;
  readonly wall: number;
}

/** In milliseconds. */
export interface StallSample {
  /** The longest time for which the event loop did not turn. */
  readonly longest: number;
  readonly wall: number;
}

/** Per connection, in bytes. */
export interface HoldSample {
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
}

/** Of `'suspend'`: bytes of memory per connection. */
export interface CrowdMemorySample {
  readonly rss: number;
}

/** Of `'watch'`. */
export interface LoopSample {
  /** The event loop's delay in milliseconds, 99th percentile. */
  readonly delay: number;
  /** CPU seconds per second. */
  readonly load: number;
}

/** Of `'answer'`. */
export interface CrowdEndSample {
  /** Those whose server accepted their answer: they were held until then. */
  readonly held: number;
}

/** In seconds. */
export interface TransferSample {
  readonly cpu: number;
  readonly wall: number;
}

/** In microseconds. */
export interface RequestsSample {
  /** Per request. */
  readonly cpu: number;
  readonly wall: number;
  /** From a request to the last byte of its reply, by share of the requests. */
  readonly p50: number;
  readonly p99: number;
}

/** One for each answer, in microseconds. */
export type LatencySample = readonly number[];

export type Reply<Sample> = { readonly sample: Sample } | { readonly error: string };
