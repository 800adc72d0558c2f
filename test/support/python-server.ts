/** Starts `python_server.py`, a TLS server that takes commands from its client. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { registerLeftover } from './leftovers';
import { opensslEnvironment } from './openssl';
import type { Identity } from './pki';
import { Printed } from './printed';

export { Dialogue, pattern, type Seen } from './dialogue';

/** `TCC_PYTHON` names another one than the first on the PATH; `PYTHON` is what node-gyp heeds. */
const PYTHON = process.env.TCC_PYTHON ?? process.env.PYTHON ?? 'python3';
const SCRIPT = join(__dirname, 'python_server.py');

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
  readonly #printed: Printed;
  #port = 0;

  /** @internal Use `startPythonServer`. */
  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#printed = new Printed('python server', child);
    child.stdin.on('error', () => {});
    void this.#printed.ended.then(() => this.#forget());
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Both streams. Each connection that ends with an error adds a line `connection: ...`. */
  get output(): string {
    return this.#printed.output;
  }

  /** Lets one connection go on that waits in `ask-then-close cue` or its like. */
  cue(): void {
    this.#child.stdin.write('\n');
  }

  /** Resolves to the text that matches, as soon as it was printed after `from`. */
  waitFor(pattern: RegExp, from?: number, ms?: number): Promise<string> {
    return this.#printed.waitFor(pattern, ms, from);
  }

  /** Resolves when the process has ended, after `quit` for instance. */
  ended(): Promise<void> {
    return this.#printed.ended;
  }

  /** Ends the process and resolves when it is gone. Does no harm twice. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#printed.ended;
  }

  /** @internal */
  async listening(): Promise<void> {
    // An interpreter that is started for the first time may take a while.
    const line = await this.waitFor(/^PORT \d+$/m, 0, 15_000);
    this.#port = Number(line.slice('PORT '.length));
  }
}
