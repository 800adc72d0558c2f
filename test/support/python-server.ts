/** Starts `python_server.py`, a TLS server that takes commands from its client. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';
import { registerLeftover } from './leftovers';
import { opensslEnvironment } from './openssl';
import type { Identity } from './pki';

/** `TCC_PYTHON` names another one than the first on the PATH; `PYTHON` is what node-gyp heeds. */
const PYTHON = process.env.TCC_PYTHON ?? process.env.PYTHON ?? 'python3';
const SCRIPT = join(__dirname, 'python_server.py');
const DEFAULT_WAIT_MS = 5_000;

const MISSING =
  'The tests need Python 3 with its ssl module (Debian and Ubuntu: apt-get install python3). ' +
  'Name another one with TCC_PYTHON.';

export interface PythonServerOptions {
  readonly identity: Pick<Identity, 'certPath' | 'keyPath'>;
  /** Path of the client roots; without them every certificate is refused. */
  readonly clientCa?: string;
  /** Default `'optional'`. `'required'` refuses whoever answers with none, afterwards too. */
  readonly requestCert?: 'no' | 'optional' | 'required';
  /** On TLS 1.3 ask only when told to, not in the handshake. Default `true`. */
  readonly postHandshakeOnly?: boolean;
  /** Default: `'TLSv1.3'`, both. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** How many session tickets follow a TLS 1.3 handshake. Default: OpenSSL's, 2. */
  readonly ticketCount?: number;
  readonly alpnProtocols?: readonly string[];
  /** A file to write the secrets to, in the NSS key log format. */
  readonly keyLogPath?: string;
  /** The interpreter and what to add to its environment: for the tests of this support. */
  readonly python?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Resolves once the server listens on a free port of 127.0.0.1. */
export async function startPythonServer(options: PythonServerOptions): Promise<PythonServer> {
  const { identity, python = PYTHON, env, ...settings } = options;
  const json = JSON.stringify({
    cert: identity.certPath,
    key: identity.keyPath,
    requestCert: 'optional',
    postHandshakeOnly: true,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ...settings,
  });
  const child = spawn(python, [SCRIPT, json], {
    stdio: 'pipe',
    env: { ...opensslEnvironment(), ...env },
  });
  const server = new PythonServer(child);
  try {
    await server.listening();
    return server;
  } catch (error) {
    await server.stop();
    throw new Error(`${MISSING} ${(error as Error).message}`, { cause: error });
  }
}

/** One running server: any number of connections, each with its own thread. */
export class PythonServer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #forget = registerLeftover(() => this.stop());
  readonly #checks = new Set<() => void>();
  readonly #exited: Promise<void>;
  #spawnError: Error | undefined;
  #ended = false;
  #output = '';
  #port = 0;

  /** @internal Use `startPythonServer`. */
  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#recheck();
      });
    }
    child.on('error', (error) => {
      this.#spawnError = error;
    });
    child.stdin.on('error', () => {});
    this.#exited = once(child, 'close').then(
      () => this.#end(),
      () => this.#end(),
    );
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Both streams. Each connection that ends with an error adds a line `connection: ...`. */
  get output(): string {
    return this.#output;
  }

  /** Lets one connection go on that waits in `ask-then-close cue` or its like. */
  cue(): void {
    this.#child.stdin.write('\n');
  }

  /** Resolves to the text that matches, as soon as it was printed after `from`. */
  waitFor(pattern: RegExp, from = 0, ms = DEFAULT_WAIT_MS): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        finish();
        const cause = this.#spawnError;
        const words = cause?.message ?? this.#output;
        reject(new Error(`python server: ${why} ${pattern}. It printed: ${words}`, { cause }));
      };
      const check = () => {
        const found = this.#output.slice(from).match(pattern)?.[0];
        if (found !== undefined) {
          finish();
          resolve(found);
        } else if (this.#ended) {
          fail('ended before');
        }
      };
      const timer = setTimeout(() => fail(`nothing in ${ms} ms for`), ms);
      const finish = () => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      this.#checks.add(check);
      check();
    });
  }

  /** Resolves when the process has ended, after `quit` for instance. */
  ended(): Promise<void> {
    return this.#exited;
  }

  /** Ends the process and resolves when it is gone. Does no harm twice. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** @internal */
  async listening(): Promise<void> {
    // An interpreter that is started for the first time may take a while.
    const line = await this.waitFor(/^PORT \d+$/m, 0, 15_000);
    this.#port = Number(line.slice('PORT '.length));
  }

  #recheck(): void {
    for (const check of [...this.#checks]) check();
  }

  #end(): void {
    this.#ended = true;
    this.#forget();
    this.#recheck();
  }
}

/** What `who` says. */
export interface Seen {
  /** As in `pki`: `CN=client ec256,O=tls-client-cert tests`; `null` for nobody. */
  readonly subject: string | null;
  /** SHA-256 of the certificate, in hexadecimal. */
  readonly fingerprint: string | null;
  readonly reused: boolean;
  readonly protocol: string;
  readonly alpn: string | null;
}

/** The client's side of the line protocol, over any stream. It reads the stream from now on. */
export class Dialogue {
  readonly #writable: Writable;
  #received = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #size = 0;
  #ended = false;
  #check = () => {};

  constructor(readable: Readable, writable: Writable = readable as Duplex) {
    this.#writable = writable;
    readable.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      this.#check();
    });
    for (const event of ['end', 'close']) {
      readable.on(event, () => {
        this.#ended = true;
        this.#check();
      });
    }
  }

  /** Bytes received and not taken. */
  get buffered(): number {
    return this.#size;
  }

  /** Sends a command. The reply, if it has one, is for {@link line} or {@link bytes}. */
  say(command: string): boolean {
    return this.#writable.write(`${command}\n`);
  }

  /** The next line, without its end. */
  async line(ms = DEFAULT_WAIT_MS): Promise<string> {
    let end = -1;
    await this.#until('line', ms, () => {
      end = this.#all().indexOf(10);
      return end >= 0;
    });
    return String(this.#take(end + 1).subarray(0, -1));
  }

  /** The next `size` bytes. */
  async bytes(size: number, ms = 15_000): Promise<Buffer> {
    await this.#until(`${size} bytes`, ms, () => this.#size >= size);
    return this.#take(size);
  }

  /** Asks whom the server sees. */
  async who(): Promise<Seen> {
    this.say('who');
    return JSON.parse(await this.line()) as Seen;
  }

  #until(what: string, ms: number, ready: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(timer);
        this.#check = () => {};
        if (error === undefined) resolve();
        else reject(error);
      };
      const got = () => `; got ${this.#size} bytes: ${this.#all().subarray(0, 200)}`;
      const timer = setTimeout(() => finish(new Error(`no ${what} in ${ms} ms${got()}`)), ms);
      this.#check = () => {
        if (ready()) finish();
        else if (this.#ended) finish(new Error(`the stream ended before the ${what}${got()}`));
      };
      this.#check();
    });
  }

  #all(): Buffer {
    this.#received = Buffer.concat([this.#received, ...this.#chunks]);
    this.#chunks = [];
    return this.#received;
  }

  #take(size: number): Buffer {
    const taken = this.#all().subarray(0, size);
    this.#received = this.#received.subarray(size);
    this.#size -= size;
    return taken;
  }
}

/** What `source` sends: byte `i` of the stream is `i % 251`. */
export function pattern(size: number): Buffer {
  return Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
}
