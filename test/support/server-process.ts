/** Real servers as child processes: they are told a free port, and stopped with all they started. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
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
  /** Whom it runs as, and who owns the folder, when the tests run as root. Default: root. */
  readonly user?: string;
  /** What has its first process end it all. Default: `SIGTERM`. */
  readonly stopSignal?: NodeJS.Signals;
}

const START_MS = 10_000;
const STOP_MS = 3_000;
const LISTEN_PAUSE_MS = 5;
const START_TRIES = 5;
const PORT_TAKEN = /address already in use/i;

/** Resolves once the server accepts connections on a free port of 127.0.0.1. */
export async function startServerProcess(recipe: ServerRecipe): Promise<ServerProcess> {
  try {
    for (let tries = 1; ; tries += 1) {
      const server = await launch(recipe);
      try {
        await server.accepting(recipe.ready);
        return server;
      } catch (error) {
        await server.stop();
        // Between the moment a port was found free and now, anybody may have taken it.
        if (tries === START_TRIES || !PORT_TAKEN.test(server.output)) throw error;
      }
    }
  } catch (error) {
    if (isMissing(error)) throw new Error(missing(recipe), { cause: error });
    throw error;
  }
}

/** Whether an error says that there is no such program, or user to run it as. */
function isMissing(error: unknown): boolean {
  const { code, syscall, cause } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && syscall?.startsWith('spawn')) return true;
  return error instanceof NoSuchUser || (cause !== undefined && isMissing(cause));
}

class NoSuchUser extends Error {}

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
    const { uid, gid } = runAs(recipe.user);
    if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
    return new ServerProcess(recipe, await recipe.prepare(folder, port), folder, port);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** For servers that do not run as anybody else: a failure that says so. */
export function needRoot(name: string): void {
  if (process.getuid?.() !== 0)
    throw new Error(`${name} is started by root only: run this as root`);
}

/** What `spawn` needs to run something as that user: nothing where that is not for us to choose. */
export function runAs(user: string | undefined): { uid?: number; gid?: number } {
  if (user === undefined || process.getuid?.() !== 0) return {};
  const [, , uid, gid] =
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find(([name]) => name === user) ?? [];
  if (uid === undefined) throw new NoSuchUser(`there is no user ${user}`);
  return { uid: Number(uid), gid: Number(gid) };
}

export async function freePort(): Promise<number> {
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
  readonly #stopSignal: NodeJS.Signals;
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
    this.#stopSignal = recipe.stopSignal ?? 'SIGTERM';
    const child = spawn(recipe.program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that no worker is missed.
      detached: true,
      ...runAs(recipe.user),
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
      this.#child.kill(this.#stopSignal);
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
    // Some say that they are ready just before they listen, and say no more.
    const deadline = Date.now() + START_MS;
    while (!(await this.#listening(deadline))) await pause(LISTEN_PAUSE_MS);
  }

  async #listening(deadline: number): Promise<boolean> {
    const socket = netConnect(this.port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ECONNREFUSED' || Date.now() > deadline || this.#child.exitCode !== null) {
        throw error;
      }
      return false;
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
