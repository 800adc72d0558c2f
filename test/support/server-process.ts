/** Real servers as child processes: they are told a free port, and stopped with all they started. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { registerLeftover } from './leftovers';
import { Printed } from './printed';
import { startWatchdog } from './watchdog';

/** How to run a server that is told its port and stays in the foreground. */
export interface ServerRecipe {
  /** As it goes into messages and the name of its folder. */
  readonly name: string;
  readonly program: string;
  /** The Debian package that holds the program. */
  readonly debianPackage: string;
  /** What it prints, by itself, when it has the port. */
  readonly ready: RegExp;
  /** Writes what the server needs into the folder; resolves to the program's arguments. */
  readonly prepare: (folder: string, port: number) => Promise<string[]> | string[];
}

const START_MS = 10_000;
const STOP_MS = 3_000;
const START_TRIES = 5;
const PORT_TAKEN = /address already in use/i;

/** Resolves once the server accepts connections on a free port of 127.0.0.1. */
export async function startServerProcess(recipe: ServerRecipe): Promise<ServerProcess> {
  for (let tries = 1; ; tries += 1) {
    const server = await launch(recipe);
    try {
      await server.accepting(recipe.ready);
      return server;
    } catch (error) {
      await server.stop();
      if (isMissing(error)) throw new Error(missing(recipe), { cause: error });
      // Between the moment a port was found free and now, anybody may have taken it.
      if (tries === START_TRIES || !PORT_TAKEN.test(server.output)) throw error;
    }
  }
}

/** Whether an error of {@link Printed} says that there is no such program. */
function isMissing(error: unknown): boolean {
  const { cause } = error as { readonly cause?: NodeJS.ErrnoException };
  return cause?.code === 'ENOENT';
}

function missing({ program, debianPackage }: ServerRecipe): string {
  return (
    `The tests of real servers need the program ${program} ` +
    `(Debian and Ubuntu: apt-get install ${debianPackage}).`
  );
}

async function launch(recipe: ServerRecipe): Promise<ServerProcess> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), `tls-client-cert-${recipe.name}-`));
  try {
    // A server started by root gives its workers to another user, who has to get in.
    await chmod(folder, 0o755);
    return new ServerProcess(recipe, await recipe.prepare(folder, port), folder, port);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Runs `use` with a server that is being started, and stops it however that ends. */
export async function withServer(
  starting: Promise<ServerProcess>,
  use: (server: ServerProcess) => Promise<void>,
): Promise<void> {
  const server = await starting;
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

/** One running server: its processes, its folder, and what it printed. */
export class ServerProcess {
  readonly port: number;
  readonly folder: string;
  readonly #name: string;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #watchdog: ReturnType<typeof startWatchdog>;
  readonly #forget = registerLeftover(() => this.stop());
  readonly #printed: Printed;
  readonly #exited: Promise<unknown>;
  #stopped: Promise<void> | undefined;

  /** @internal Use `startServerProcess`. */
  constructor(recipe: ServerRecipe, args: readonly string[], folder: string, port: number) {
    this.port = port;
    this.folder = folder;
    this.#name = recipe.name;
    const child = spawn(recipe.program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that no worker is missed.
      detached: true,
      env: {
        // Where Debian puts servers, which not everybody's PATH has.
        PATH: `${process.env.PATH ?? ''}:/usr/sbin`,
        LC_ALL: 'C',
        TZ: 'UTC',
      },
    });
    this.#child = child;
    this.#watchdog = startWatchdog(child.pid === undefined ? undefined : -child.pid, folder);
    this.#printed = new Printed(recipe.name, child);
    this.#exited = once(child, 'exit').catch(() => {});
  }

  /** The first process of the server, which leads its process group. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Everything printed so far, both streams; their order among each other is not certain. */
  get output(): string {
    return this.#printed.output;
  }

  /** Resolves to the text that matches, printed after `from`, an earlier `output.length`. */
  waitFor(pattern: RegExp, ms?: number, from?: number): Promise<string> {
    return this.#printed.waitFor(pattern, ms, from);
  }

  /** Ends all its processes, removes its folder, and resolves when they are gone. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    // First, so that it cannot aim at a process number that has been given away again.
    this.#watchdog?.kill('SIGKILL');
    const { pid } = this.#child;
    if (pid !== undefined) {
      // The first process ends its workers, and removes what lies outside of files.
      this.#child.kill('SIGTERM');
      const patience = setTimeout(() => killGroup(pid), STOP_MS);
      await this.#exited;
      clearTimeout(patience);
      // Whoever is left is dead now, though init may take a while to bury it.
      killGroup(pid);
    }
    await this.#printed.ended;
    await rm(this.folder, { recursive: true, force: true });
    this.#forget();
  }

  /** @internal */
  async accepting(ready: RegExp): Promise<void> {
    const printed = await this.waitFor(
      new RegExp(`${ready.source}|${PORT_TAKEN.source}`, 'i'),
      START_MS,
    );
    if (PORT_TAKEN.test(printed)) throw new Error(`${this.#name}: port ${this.port} was taken`);
    const socket = netConnect(this.port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}
