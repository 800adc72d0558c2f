/** Starts real `openssl s_server` processes and waits for what they print. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { registerLeftover } from './leftovers';
import { OPENSSL, opensslEnvironment } from './openssl';
import type { Identity } from './pki';
import { Printed } from './printed';
import {
  clientCertificateMessages,
  completedHandshakes,
  type SeenClient,
  withoutDumps,
} from './s-server-output';
import { startWatchdog } from './watchdog';

export type { SeenClient } from './s-server-output';

export interface SServerOptions {
  /** Paths of the server's certificate and key; `pki.server` and its like fit as they are. */
  readonly identity: Pick<Identity, 'certPath' | 'keyPath'>;
  /** Default `'no'`. `'required'` fails the handshake of a client that sends none. */
  readonly requestCert?: 'no' | 'optional' | 'required';
  /**
   * Path of the client roots. They fill the list in the CertificateRequest, and a certificate
   * that does not lead to them is refused. Left out: empty list, any certificate will do.
   */
  readonly clientCa?: string;
  /** `false`: `clientCa` is trusted, but the list in the CertificateRequest stays empty. */
  readonly nameClientCa?: boolean;
  /** Only this version. Default: whatever `s_server` negotiates. */
  readonly protocol?: 'TLSv1.2' | 'TLSv1.3';
  /** `false` drops `-msg`, for bulk data: received chains are then unknown. Default `true`. */
  readonly messages?: boolean;
  /** Further arguments, such as `['-sigalgs', 'ECDSA+SHA256']` or `['-rev']`. */
  readonly args?: readonly string[];
}

const PROTOCOL_FLAGS = { 'TLSv1.2': '-tls1_2', 'TLSv1.3': '-tls1_3' } as const;

/** Resolves once the server listens on a free port of 127.0.0.1. */
export async function startSServer(options: SServerOptions): Promise<SServer> {
  const child = spawn(OPENSSL, serverArguments(options), {
    stdio: 'pipe',
    env: opensslEnvironment(),
  });
  const server = new SServer(child);
  try {
    await server.listening();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function serverArguments(options: SServerOptions): string[] {
  const { identity, requestCert = 'no', clientCa, nameClientCa = true } = options;
  // No default trust: what a test accepts is what it names.
  const args = ['s_server', '-accept', '127.0.0.1:0', '-no-CAfile', '-no-CApath', '-no-CAstore'];
  args.push('-cert', identity.certPath, '-key', identity.keyPath, '-nameopt', 'RFC2253');
  if (requestCert === 'optional') args.push('-verify', '8');
  if (requestCert === 'required') args.push('-Verify', '8');
  if (clientCa !== undefined) {
    args.push(nameClientCa ? '-CAfile' : '-verifyCAfile', clientCa);
    // Without this s_server reports a bad chain and goes on.
    args.push('-verify_return_error');
  }
  if (options.protocol !== undefined) args.push(PROTOCOL_FLAGS[options.protocol]);
  if (options.messages ?? true) args.push('-msg');
  return args.concat(options.args ?? []);
}

/** One running `s_server`. It serves one connection after another. */
export class SServer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #watchdog: ReturnType<typeof startWatchdog>;
  readonly #forget = registerLeftover(() => this.stop());
  readonly #printed: Printed;
  #port = 0;

  /** @internal Use `startSServer`. */
  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#watchdog = startWatchdog(child.pid);
    this.#printed = new Printed('s_server', child, withoutDumps);
    // Writing to a server that has gone is a test's failure to wait, not a crash of the run.
    child.stdin.on('error', () => {});
    void this.#printed.ended.then(() => {
      this.#forget();
      this.#watchdog?.kill('SIGKILL');
    });
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Everything printed so far, both streams; their order among each other is not certain. */
  get output(): string {
    return this.#printed.output;
  }

  /**
   * Resolves to the text that matches, as soon as it has been printed. Looks from `from`, an
   * earlier `output.length`, so that a test can wait for the second of two like lines.
   */
  waitFor(pattern: RegExp | string, ms?: number, from?: number): Promise<string> {
    return this.#printed.waitFor(pattern, ms, from);
  }

  /** What the server saw in its `nth` completed handshake, the first by default. */
  sawClient(nth = 1, ms?: number): Promise<SeenClient> {
    const look = () => completedHandshakes(this.#printed.stdout)[nth - 1];
    return this.#printed.until(`handshake ${nth}`, look, ms);
  }

  /**
   * The certificates in the `nth` Certificate message that any client sent, in any phase:
   * initial, post-handshake or renegotiated. Empty for a client that declined.
   */
  clientChain(nth = 1, ms?: number): Promise<readonly X509Certificate[]> {
    const look = () => clientCertificateMessages(this.#printed.stdout)[nth - 1];
    return this.#printed.until(`client Certificate message ${nth}`, look, ms);
  }

  /** How many Certificate messages clients have sent so far, empty ones included. */
  get clientCertificateMessageCount(): number {
    return clientCertificateMessages(this.#printed.stdout).length;
  }

  /**
   * Types a line on the server's standard input: data for the client, or, as its first letter
   * says, a command (`c`, `r`, `R`, `q`, …). Wait for `sawClient` first, and for a command's
   * effect before the next: lines that arrive together are read as one.
   *
   * `R` asks for a certificate by renegotiation, but only with `requestCert: 'no'` (s_server asks
   * once in a connection) and `-no_resumption_on_reneg` (a resumed session asks nothing).
   */
  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Ends the process and resolves when it is gone. Does no harm twice. */
  async stop(): Promise<void> {
    // First, so that it cannot aim at a process number that has been given away again.
    this.#watchdog?.kill('SIGKILL');
    this.#child.kill('SIGKILL');
    await this.#printed.ended;
  }

  /** @internal */
  async listening(): Promise<void> {
    const line = await this.waitFor(/^ACCEPT \S+:\d+$/m);
    this.#port = Number(line.slice(line.lastIndexOf(':') + 1));
  }
}
