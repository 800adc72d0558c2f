/** A TLS 1.3 server of Python's as the peer: it asks after the handshake. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { registerLeftover } from '../support/leftovers';
import { opensslEnvironment } from '../support/openssl';
import { loadPki } from '../support/pki';
import { Waiting } from '../support/waiting';
import { type Peer, Seen } from './peer';

const PYTHON = process.env.TCC_PYTHON ?? process.env.PYTHON ?? 'python3';

/** What one interpreter does: it asks in the handshake, or it does not. */
export class PythonPeer implements Peer {
  changed: () => void = () => {};
  port = 0;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Waiting((why) => new Error(`python peer: ${why}; ${this.#errors}`));
  #errors = '';
  #seen = new Seen();
  #clientPort = 0;
  #synced = 0;
  #asked = 0;
  /** Python knows of a client whose port nobody has told us yet. */
  #connected = false;
  #stopped = false;
  #queue: string[] = [];

  private constructor(asksFirst: boolean) {
    const { server, clientCaA } = loadPki();
    const settings = {
      cert: server.certPath,
      key: server.keyPath,
      clientCa: clientCaA.certPath,
      asksFirst,
    };
    this.#child = spawn(PYTHON, [join(__dirname, 'python_peer.py'), JSON.stringify(settings)], {
      stdio: 'pipe',
      env: opensslEnvironment(),
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    this.#child.once('close', () => {
      if (!this.#stopped) console.error(`The Python peer has ended: ${this.#errors}`);
      this.#waiting.end();
    });
    createInterface(this.#child.stdout).on('line', (line) => this.#heard(line));
  }

  static async start(asksFirst: boolean): Promise<PythonPeer> {
    const peer = new PythonPeer(asksFirst);
    registerLeftover(() => peer.stop());
    await peer.#waiting.until('port', () => peer.port || undefined, 15_000);
    return peer;
  }

  #heard(line: string): void {
    const [first = '', what, ...rest] = line.split(' ');
    if (first === 'PORT') this.port = Number(what);
    else if (first === 'sync') this.#synced = Number(what);
    else if (what === 'connected') {
      this.#clientPort = Number(first);
      this.#connected = true;
      for (const command of this.#queue.splice(0)) this.#say(command);
    } else if (Number(first) === this.#clientPort) this.#happened(what as string, rest);
    this.#waiting.changed();
    this.changed();
  }

  #happened(what: string, rest: string[]): void {
    const seen = this.#seen;
    switch (what) {
      case 'secured':
        seen.secured = true;
        if (rest[0] !== 'unasked') seen.shown.push(rest.join(' '));
        break;
      case 'asked':
        seen.requests = (seen.requests ?? 0) + 1;
        break;
      case 'answered':
        seen.shown.push(rest.join(' '));
        break;
      case 'received':
        seen.count = Number(rest[0]);
        seen.intact &&= rest[1] === 'intact';
        break;
      case 'ended':
        seen.ended = true;
        break;
      case 'failed':
        seen.failure ??= rest.join(' ');
        break;
      case 'closed':
        seen.gone = true;
        break;
    }
  }

  expect({ asksFirst }: { readonly asksFirst: boolean }): Seen {
    this.#seen = new Seen();
    this.#seen.requests = asksFirst ? 1 : 0;
    this.#clientPort = 0;
    this.#connected = false;
    this.#queue = [];
    return this.#seen;
  }

  #say(command: string): void {
    this.#child.stdin.write(`${command}\n`);
  }

  /** Python takes it for the connection that it has, so that has to be ours first. */
  #do(command: string): void {
    if (this.#connected) this.#say(command);
    else this.#queue.push(command);
  }

  write(size: number): void {
    if (this.#seen.closing) return;
    this.#seen.sent += size;
    this.#do(`write ${size}`);
  }

  ask(): void {
    this.#do('ask');
  }

  end(): void {
    this.#seen.closing = true;
    this.#do('end');
  }

  stall(): void {
    this.#do('stall');
  }

  flow(): void {
    this.#do('flow');
  }

  async sync(): Promise<void> {
    const word = ++this.#asked;
    this.#say(`sync ${word}`);
    await this.#waiting.until('sync', () => this.#synced >= word || undefined);
  }

  async hangUp(): Promise<void> {
    this.#say('close');
    await this.sync();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#stopped = true;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}
