/**
 * Two copies of the package in one process, as npm installs two versions: each works as if alone, in this
 * thread and in workers, and what belongs to one is nothing to the other. Each case prints one line.
 */
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type * as Package from '../../../lib/index';
import { credential, to } from './client';
import { signs } from './signing';

type Copy = typeof Package;
interface Task {
  readonly files: readonly string[];
  readonly port: number;
}

const task: Task = workerData ?? { port: Number(process.argv[2]), files: process.argv.slice(3) };
const [first, second] = task.files.map((file) => require(file)) as [Copy, Copy];

type Natives = typeof import('../../../lib/binding').binding;

/** What only the library itself reaches. */
function nativesOf(file: string): Natives {
  return require(join(dirname(file), 'binding.ts')).binding;
}

/** One whole connection of a copy: suspended, and signed later if `signed`. */
async function handshake({ connect }: Copy, signed: boolean, tls12: boolean): Promise<string> {
  const answer = signed ? { cert: credential.cert, key: signs } : { ...credential };
  const socket = connect({
    ...to(task.port),
    ...(tls12 && { maxVersion: 'TLSv1.2' as const }),
    clientCertCallback: () => new Promise((resolve) => setImmediate(resolve, answer)),
  });
  let read = '';
  socket.on('data', (chunk) => {
    read += chunk;
    if (read.length === 5) socket.end();
  });
  socket.write('hello');
  await once(socket, 'close');
  return `${read} ${socket.clientAuth.status}`;
}

/** Both copies at the same time, in all ways, so that one's wait in the middle of the other's. */
async function alternately(): Promise<readonly string[]> {
  const runs: Promise<string>[] = [];
  for (let i = 0; i < 16; i += 1) {
    runs.push(handshake(i % 2 === 0 ? first : second, i % 4 > 1, i % 8 > 3));
  }
  return [...new Set(await Promise.all(runs))];
}

/** The name and code of what `use` throws, or its connection ends with. */
async function refused(use: () => Package.TLSSocket): Promise<string> {
  try {
    const socket = use();
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => {
      socket.once('error', resolve);
      socket.once('secureConnect', () => resolve(new Error('connected')));
    });
    socket.destroy();
    return `${error.name} ${error.code}`;
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException;
    return `thrown: ${name} ${code}`;
  }
}

const CASES: Readonly<Record<string, () => unknown>> = {
  'are two': () => [first.connect !== second.connect, first.Credential !== second.Credential],
  'work at the same time': alternately,
  'work in workers, too, while they work here': async () => {
    const workers = [1, 2].map(() => new Worker(__filename, { workerData: task }));
    const own = alternately();
    const said = workers.map(async (worker) => {
      const exited = once(worker, 'exit');
      const [message] = await once(worker, 'message');
      return [message, (await exited)[0]];
    });
    return [await own, ...(await Promise.all(said))];
  },
  'a SecureContext of the other': () => {
    const secureContext = first.createSecureContext({});
    return refused(() => second.connect({ ...to(task.port), secureContext } as never));
  },
  'a Credential of the other': () => {
    const theirs = new first.Credential(credential);
    return refused(() => second.connect({ ...to(task.port), credential: theirs as never }));
  },
  'a Credential of the other as answer': () => {
    const theirs = new first.Credential(credential);
    return refused(() =>
      second.connect({ ...to(task.port), clientCertCallback: async () => theirs as never }),
    );
  },
  'a Credential of the other for a session': () => {
    const sessionCredential = new first.Credential(credential) as never;
    return refused(() => second.connect({ ...to(task.port), sessionCredential }));
  },
  'a native context of the other': () => {
    const [, theirs] = task.files.map(nativesOf) as [Natives, Natives];
    const native = first.SecureContext.nativeOf(first.createSecureContext({}));
    const settings = { serverName: 'localhost', alpnProtocols: new Uint8Array(), credentials: [] };
    try {
      new theirs.Connection(native, settings as never);
      return 'taken';
    } catch (error) {
      return String(error);
    }
  },
  'a Suspension of the other': async () => {
    const socket = first.connect({ ...to(task.port), clientCertCallback: () => first.SUSPEND });
    socket.on('error', () => {});
    const [theirs] = (await once(socket, 'suspend')) as [Package.Suspension];
    const asAnswer = await refused(() =>
      second.connect({ ...to(task.port), clientCertCallback: async () => theirs as never }),
    );
    const { resume } = second.Suspension.prototype;
    const asReceiver = await refused(() => resume.call(theirs as never) as never);
    // It is as good as before.
    const secured = once(socket, 'secureConnect');
    theirs.resume(credential);
    await secured;
    socket.destroy();
    return [asAnswer, asReceiver, socket.clientAuth.status];
  },
  // Registered symbols, and channels by their name, are the process's.
  'SUSPEND is the same': async () => {
    const socket = second.connect({ ...to(task.port), clientCertCallback: () => first.SUSPEND });
    const [suspension] = (await once(socket, 'suspend')) as [Package.Suspension];
    const secured = once(socket, 'secureConnect');
    suspension.resume(credential);
    await secured;
    socket.destroy();
    return [first.SUSPEND === second.SUSPEND, socket.clientAuth.status];
  },
  'diagnostics channels are the same': async () => {
    let heard = 0;
    const listener = () => {
      heard += 1;
    };
    channel('tls-client-cert:request').subscribe(listener);
    await Promise.all([handshake(first, false, false), handshake(second, false, false)]);
    channel('tls-client-cert:request').unsubscribe(listener);
    return heard;
  },
  'a session goes from one to the other': async () => {
    const dial = ({ connect }: Copy, session?: Buffer) =>
      connect({ ...to(task.port), ...(session && { session }) }).resume();
    const socket = dial(first);
    const [session] = (await once(socket, 'session')) as [Buffer];
    socket.destroy();
    const resumed = dial(second, session);
    await once(resumed, 'secureConnect');
    const reused = resumed.isSessionReused();
    resumed.destroy();
    return reused;
  },
  'the process ends while both wait': async () => {
    for (const copy of [first, second]) {
      for (const answer of [() => new Promise(() => {}), () => copy.SUSPEND]) {
        const socket = copy.connect({ ...to(task.port), clientCertCallback: answer as never });
        socket.on('suspend', () => {});
        await once(socket, 'connect');
        socket.unref();
      }
    }
  },
};

async function main(): Promise<void> {
  if (parentPort !== null) {
    parentPort.postMessage(await alternately());
    return;
  }
  for (const [name, one] of Object.entries(CASES)) {
    console.log(JSON.stringify([name, (await one()) ?? null]));
  }
}

void main();
