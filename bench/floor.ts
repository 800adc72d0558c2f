/**
 * The floor: a small C client over the system's OpenSSL, and the C server of transfers and messages.
 * Both are compiled when they are first wanted.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Pki } from '../test/support/pki';
import { adopt } from './processes';
import type { Runner } from './rounds';

const run = promisify(execFile);

const SOURCES = join(__dirname, 'floor');
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2'];
const LIBRARIES = ['-lssl', '-lcrypto', '-pthread'];
const MISSING =
  "The benchmark compiles its C client and server: it needs cc and OpenSSL's headers (Debian and " +
  'Ubuntu: apt-get install gcc libssl-dev).';

export type FloorWork = 'receive' | 'send' | 'handshakes';

/** In seconds, of the work alone. */
export interface FloorSample {
  readonly cpu: number;
  readonly wall: number;
}

export class Floor {
  readonly #folder: string;
  readonly #pki: Pki;

  private constructor(folder: string, pki: Pki) {
    this.#folder = folder;
    this.#pki = pki;
  }

  static async compile(pki: Pki): Promise<Floor> {
    const folder = await mkdtemp(join(tmpdir(), 'tls-client-cert-floor-'));
    try {
      for (const program of ['client', 'server']) {
        const sources = [`${program}.c`, 'common.c'].map((name) => join(SOURCES, name));
        await run('cc', [...FLAGS, ...sources, '-o', join(folder, program), ...LIBRARIES]);
      }
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw new Error(`${MISSING}\n${error instanceof Error ? error.message : error}`);
    }
    return new Floor(folder, pki);
  }

  /** Of the OpenSSL that it is over, which need not be Node's. */
  async version(): Promise<string> {
    const { stdout } = await run(join(this.#folder, 'client'), ['version']);
    return stdout.trim();
  }

  /** Resolves with its port; it lasts until `stopAll()`. */
  async startServer(): Promise<number> {
    const { clientCaA, server } = this.#pki;
    const child = adopt(
      spawn(
        join(this.#folder, 'server'),
        [clientCaA.certPath, server.certPath, server.keyPath],
        // Its input is what keeps it alive.
        { stdio: ['pipe', 'pipe', 'inherit'] },
      ),
    );
    const [port] = await once(child.stdout, 'data');
    return Number(port);
  }

  /** A process of its own each time, which needs no warm-up; the amount is bytes, or handshakes. */
  runner(work: FloorWork, port: number, amount: number): Runner<FloorSample> {
    return { run: () => this.#run(work, port, amount), stop: async () => {} };
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  async #run(work: FloorWork, port: number, amount: number): Promise<FloorSample> {
    const { serverCa, clients } = this.#pki;
    const { certPath, keyPath } = clients.ec256;
    const { stdout } = await run(join(this.#folder, 'client'), [
      ...[serverCa.certPath, certPath, keyPath],
      ...[work, String(port), String(amount)],
    ]);
    return JSON.parse(stdout) as FloorSample;
  }
}
