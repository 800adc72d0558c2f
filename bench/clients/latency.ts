/** From an answer to the first ciphertext that it leads to. */
import { createPrivateKey, sign } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ClientCertCallback,
  connect,
  createSecureContext,
  SUSPEND,
  type TLSSocket,
} from '../../lib/index';
import { Dialogue } from '../../test/support/python-server';
import type { LatencySample, LatencyTask, Moment, Setup, Way } from '../messages';
import { ADDRESS, credentialOf, settled } from './sockets';

type Version = 'TLSv1.2' | 'TLSv1.3';

/** Until the answer: whoever is asked takes longer, and the server has come to rest by then. */
const THINKING_MS = 1;

export async function measureLatency(setup: Setup, task: LatencyTask): Promise<LatencySample> {
  if (task.kind === 'signature') return signatures(setup, task.count);
  const [moment, way] = task.kind.split(' ') as [Moment, Way];
  const version = moment === 'tls12' ? 'TLSv1.2' : 'TLSv1.3';
  ask ??= asker(setup, way, version);
  return moment === 'post-handshake'
    ? laterRequests(ask, version, task.count)
    : firstRequests(ask, version, task.count);
}

/** Tells when something is written for the first time after {@link arm}. */
class Stopwatch extends net.Socket {
  #armed: bigint | undefined;
  #tell = (_microseconds: number) => {};

  /** The next measurement. */
  measured(): Promise<number> {
    return new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  arm(): void {
    this.#armed = process.hrtime.bigint();
  }

  override _write(...args: Parameters<net.Socket['_write']>): void {
    this.#stop();
    super._write(...args);
  }

  override _writev(...args: Parameters<NonNullable<net.Socket['_writev']>>): void {
    this.#stop();
    super._writev?.(...args);
  }

  #stop(): void {
    if (this.#armed === undefined) return;
    const elapsed = process.hrtime.bigint() - this.#armed;
    this.#armed = undefined;
    this.#tell(Number(elapsed) / 1000);
  }
}

/** Opens a connection whose answers are timed by the socket below. */
type Ask = () => {
  readonly socket: TLSSocket;
  readonly below: Stopwatch;
};

/** Of the one kind that this process measures. */
let ask: Ask | undefined;

function asker(setup: Setup, way: Way, maxVersion: Version): Ask {
  const credential = credentialOf(setup);
  const secureContext = createSecureContext({ ca: setup.keys.serverCa, maxVersion });
  const callbackFor = (below: Stopwatch): ClientCertCallback => {
    switch (way) {
      case 'at-once':
        return () => {
          below.arm();
          return credential;
        };
      case 'promise':
        return () =>
          new Promise((resolve) => {
            setTimeout(() => {
              below.arm();
              resolve(credential);
            }, THINKING_MS);
          });
      case 'resume':
        return () => SUSPEND;
    }
  };
  return () => {
    // As connect() opens its own.
    const below = new Stopwatch({ allowHalfOpen: true });
    below.connect(setup.port, ADDRESS.host);
    const clientCertCallback = callbackFor(below);
    const socket = connect({
      ...ADDRESS,
      socket: below,
      secureContext,
      clientCertCallback,
      // Each later request is to be a question, too.
      reselectClientCert: true,
    });
    socket.on('suspend', (suspension) => {
      setTimeout(() => {
        below.arm();
        suspension.resume(credential);
      }, THINKING_MS);
    });
    return { socket, below };
  };
}

/** In the handshake of a connection of its own each. */
async function firstRequests(open: Ask, version: Version, count: number): Promise<LatencySample> {
  const sample: number[] = [];
  while (sample.length < count) {
    const { socket, below } = open();
    const [elapsed] = await Promise.all([below.measured(), settled(socket, 'secureConnect')]);
    await check(new Dialogue(socket), version);
    socket.destroy();
    sample.push(elapsed);
  }
  return sample;
}

/** One after another on one connection. */
async function laterRequests(open: Ask, version: Version, count: number): Promise<LatencySample> {
  const { socket, below } = open();
  await settled(socket, 'secureConnect');
  const failed = new Promise<never>((_, reject) => socket.once('error', reject));
  const dialogue = new Dialogue(socket);
  const sample: number[] = [];
  while (sample.length < count) {
    const elapsed = below.measured();
    dialogue.say('ask');
    const asked = dialogue.line();
    sample.push(await Promise.race([elapsed, failed]));
    if ((await asked) !== 'asked') throw new Error('the server does not ask');
  }
  await check(dialogue, version);
  socket.destroy();
  return sample;
}

/** What was measured was what was meant. */
async function check(dialogue: Dialogue, version: Version): Promise<void> {
  const { subject, protocol } = await dialogue.who();
  if (subject === null) throw new Error('the server accepted no certificate');
  if (protocol !== version) throw new Error(`the server speaks ${protocol}`);
}

/** What TLS 1.3 has a client sign: as long as that, with the same key. */
async function signatures({ keys }: Setup, count: number): Promise<LatencySample> {
  const key = createPrivateKey(keys.clientKey);
  const content = Buffer.alloc(130);
  const sample: number[] = [];
  while (sample.length < count) {
    await sleep(THINKING_MS);
    const start = process.hrtime.bigint();
    sign('sha256', content, key);
    sample.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return sample;
}
