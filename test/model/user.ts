/** The program on the client's side: what it may do, and what it is told, counted. */
import { getEventListeners, once } from 'node:events';
import {
  type ConnectionOptions,
  type Credential,
  connect,
  createSecureContext,
  type TLSSocket,
} from '../../lib/index';
import type { Protocol } from '../support/client';
import { loadPki } from '../support/pki';
import { Asking, credentials, ModelError } from './asking';
import { lookAtEverything } from './look';
import type { Model } from './model';
import { patternAt, Received } from './pattern';
import { type Setup, words } from './scenario';

/** What the caller brings about itself by calling pause(), resume() and on(). */
const OWN = new Set(['pause', 'resume', 'newListener', 'removeListener']);
/**
 * What may still come once it was destroyed: of the socket below, as of node:tls's, and `'finish'`, if all was
 * passed on before.
 */
const LATE = new Set([
  ...['lookup', 'connect', 'ready', 'connectionAttempt', 'connectionAttemptFailed'],
  ...['finish', 'error', 'close'],
]);
/** Contexts of their own: those that are shared by themselves are kept by a timer for a while. */
const CONTEXTS = {
  'TLSv1.2': { plain: contextOf('TLSv1.2'), preset: contextOf('TLSv1.2', credentials.preset) },
  'TLSv1.3': { plain: contextOf('TLSv1.3'), preset: contextOf('TLSv1.3', credentials.preset) },
};
const READ_AHEAD = 64 * 1024;

function contextOf(version: Protocol, credential?: Credential) {
  const ca = loadPki().serverCa.cert;
  return createSecureContext({
    ca,
    minVersion: version,
    maxVersion: version,
    ...(credential && { credential }),
  });
}

/** A callback that has to be called once. */
interface Call {
  readonly what: string;
  count: number;
  error: NodeJS.ErrnoException | null | undefined;
}

export class User extends Received {
  readonly socket: TLSSocket;
  readonly asking: Asking;
  readonly calls: Call[] = [];
  /** How often each event came. */
  readonly events: Record<string, number> = {};
  error: NodeJS.ErrnoException | undefined;
  /** Plaintext bytes that write() was given. */
  written = 0;
  destroyed = false;
  closed = false;
  readonly #setup: Setup;
  readonly #model: Model;
  readonly #hooks: { readonly event: string; readonly step: string }[] = [];
  readonly #abort = new AbortController();
  #readsAll = false;
  /** When it was destroyed, plaintext lay there that nobody had read. */
  #kept = false;

  constructor(setup: Setup, port: number, model: Model) {
    super();
    this.#setup = setup;
    this.#model = model;
    this.asking = new Asking(setup, {
      violated: (what) => model.violated(what),
      happened: (event) => this.#happened(event),
      permit: (...codes) => model.permit(...codes),
    });
    this.socket = connect(this.#options(port), () => this.#happened('secured'));
    this.#watch(this.socket);
  }

  #options(port: number): ConnectionOptions {
    const { highWaterMark, protocol, reading, reselect, requires, preset } = this.#setup;
    return {
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      secureContext: CONTEXTS[protocol][preset ? 'preset' : 'plain'],
      transport: this.#setup.transport,
      allowHalfOpen: this.#setup.allowHalfOpen,
      reselectClientCert: reselect,
      requireClientCert: requires,
      postHandshakeAuth: true,
      signal: this.#abort.signal,
      clientCertCallback: this.asking.callback,
      ...(highWaterMark !== null && { highWaterMark }),
      ...(reading === 'onread' && {
        onread: {
          buffer: Buffer.alloc(5000),
          callback: (count: number, buffer: Uint8Array) => {
            this.#took(buffer.subarray(0, count));
            return !this.socket.isPaused();
          },
        },
      }),
    };
  }

  #watch(socket: TLSSocket): void {
    const emit = socket.emit;
    socket.emit = ((event: string, ...args: unknown[]) => {
      this.#told(event, args);
      return emit.call(socket, event as 'data', ...(args as [unknown]));
    }) as typeof socket.emit;
    socket.on('suspend', (suspension) => {
      this.asking.suspended(suspension);
      this.#happened('suspend');
    });
    for (const event of [
      'connect',
      'secureConnect',
      'drain',
      'end',
      'finish',
      'timeout',
      'close',
    ]) {
      socket.on(event as 'end', () => this.#happened(event));
    }
    socket.on('error', () => this.#happened('error'));
    if (this.#setup.reading === 'flowing') socket.on('data', (chunk: Buffer) => this.#took(chunk));
    if (this.#setup.reading === 'manual') {
      socket.on('readable', () => {
        this.#happened('readable');
        if (this.#readsAll) this.#readAll();
      });
    }
    // It settles, whatever comes.
    const call = this.#expect("once(socket, 'close')");
    once(socket, 'close').then(
      () => call(),
      () => call(),
    );
  }

  /** All that is emitted, before anybody hears of it. */
  #told(event: string, args: readonly unknown[]): void {
    if (OWN.has(event)) return;
    const model = this.#model;
    this.events[event] = (this.events[event] ?? 0) + 1;
    if (this.closed) model.violated(`'${event}' after 'close'`);
    else if (this.error !== undefined && event !== 'close')
      model.violated(`'${event}' after 'error'`);
    else if (this.destroyed && !LATE.has(event) && !this.#keptFor(event)) {
      model.violated(`'${event}' after destroy()`);
    }
    if (event === 'error') {
      this.error = args[0] as NodeJS.ErrnoException;
      this.#judge(this.error);
    } else if (event === 'close') {
      this.closed = true;
      if (args[0] !== (this.error !== undefined)) model.violated(`'close' came with ${args[0]}`);
    }
    model.changed();
  }

  /** Whoever goes on to read from a stream that is destroyed gets what it had. */
  #keptFor(event: string): boolean {
    return this.#kept && (event === 'data' || event === 'readable');
  }

  #judge(error: NodeJS.ErrnoException): void {
    const { code } = error;
    if (typeof code !== 'string' || code === '') {
      this.#model.violated(`an error without a code: ${error}`);
    } else if (!this.#model.permitted.has(code)) {
      this.#model.violated(`an error that nothing led to: ${code} (${error.message})`);
    }
  }

  #took(bytes: Uint8Array): void {
    this.take(bytes);
    if (!this.intact)
      this.#model.violated(`other bytes came than the peer sent, before ${this.count}`);
    this.#model.changed();
    this.#happened('data');
  }

  /** @returns The callback, to be called once. */
  #expect(what: string, then?: string): (error?: Error | null) => void {
    const call: Call = { what, count: 0, error: undefined };
    this.calls.push(call);
    return (error) => {
      call.count++;
      call.error = error ?? null;
      if (call.count > 1)
        this.#model.violated(`the callback of ${what} was called ${call.count} times`);
      if (error && typeof (error as NodeJS.ErrnoException).code !== 'string') {
        this.#model.violated(`the callback of ${what} got an error without a code: ${error}`);
      }
      this.#model.changed();
      if (then !== undefined) this.#happened(then);
    };
  }

  #happened(event: string): void {
    this.#model.changed();
    for (let hook = this.#take(event); hook !== undefined; hook = this.#take(event)) this.act(hook);
  }

  #take(event: string): string | undefined {
    const at = this.#hooks.findIndex((hook) => hook.event === event);
    return at < 0 ? undefined : this.#hooks.splice(at, 1)[0]?.step;
  }

  // ---- what the program does

  act(step: string): void {
    const hook = /^when (\w+): (.*)$/.exec(step);
    if (hook !== null) {
      this.#hooks.push({ event: hook[1] as string, step: hook[2] as string });
      return;
    }
    const { name, number } = words(step);
    const action = this.#actions[name];
    if (action === undefined) throw new Error(`no such step: ${step}`);
    try {
      action(number);
    } catch (error) {
      this.#model.violated(`${step} threw ${(error as Error).stack}`);
    }
    this.#checkBuffers(step);
  }

  #destroy(how: () => void): void {
    if (!this.destroyed) this.#kept = this.socket.readableLength > 0;
    this.destroyed = true;
    how();
  }

  /** By the words of a step; `n` is the number at its end. */
  readonly #actions: Readonly<Record<string, (n: number | undefined) => unknown>> = {
    write: (n) => this.#write(n as number, this.#expect(`write ${n}`, 'written')),
    'write silently': (n) => this.#write(n as number),
    cork: () => this.socket.cork(),
    uncork: () => this.socket.uncork(),
    pause: () => this.socket.pause(),
    // With 'readable' it would have no effect.
    resume: () => this.#setup.reading === 'manual' || this.closed || this.socket.resume(),
    read: (n) => this.closed || this.#read(n),
    end: (n) => this.#end(n),
    destroy: () => this.#destroy(() => this.socket.destroy()),
    'destroy with an error': () => {
      if (!this.socket.destroyed) this.#model.permit('ERR_MODEL');
      this.#destroy(() => this.socket.destroy(new ModelError('the program had enough')));
    },
    'destroy soon': () => {
      // As soon as all is written: what is still to be read is lost.
      this.#model.cutShort = true;
      this.socket.destroySoon();
    },
    'abort the signal': () => {
      if (!this.socket.destroyed) this.#model.permit('ABORT_ERR');
      this.#destroy(() => this.#abort.abort());
    },
    settle: () => this.asking.settle(),
    sign: () => this.asking.sign(),
    'resume again': () => this.asking.resume('again'),
    'resume answer': () => this.asking.resume('answer'),
    'resume promise': () => this.asking.resume('promise'),
    'resume abort': () => this.asking.resume('abort'),
    timeout: (n) => this.socket.setTimeout(n as number),
    renegotiate: () => this.#renegotiate(),
    'disable renegotiation': () => {
      if (this.#setup.protocol === 'TLSv1.2') this.#model.permit('ERR_TLS_RENEGOTIATION_DISABLED');
      this.socket.disableRenegotiation();
    },
    fragment: (n) => this.socket.setMaxSendFragment(n as number),
    ref: () => this.socket.ref(),
    unref: () => this.socket.unref(),
    'no delay': () => this.socket.setNoDelay(true),
    'look at everything': () => lookAtEverything(this.socket, (what) => this.#model.violated(what)),
  };

  #write(size: number, callback?: (error?: Error | null) => void): void {
    const { socket } = this;
    if (socket.writableEnded) {
      callback?.();
      return;
    }
    const bytes = patternAt(this.written, size);
    if (!socket.destroyed) this.written += size;
    socket.write(bytes, callback);
  }

  #end(size: number | undefined): void {
    const { socket } = this;
    // Of a stream that is destroyed Node never calls it.
    const callback = socket.destroyed ? undefined : this.#expect('end');
    if (size === undefined || socket.writableEnded || socket.destroyed) {
      socket.end(callback);
      return;
    }
    const bytes = patternAt(this.written, size);
    this.written += size;
    socket.end(bytes, callback);
  }

  #read(size: number | undefined): void {
    const chunk: Buffer | null = size === undefined ? this.socket.read() : this.socket.read(size);
    // With a listener for 'data' that has it already.
    if (chunk !== null && this.#setup.reading === 'manual') this.#took(chunk);
  }

  #readAll(): void {
    for (let chunk = this.socket.read(); chunk !== null; chunk = this.socket.read())
      this.#took(chunk);
  }

  #renegotiate(): void {
    const began = this.socket.renegotiate({}, this.#expect('renegotiate', 'renegotiated'));
    if (began && this.#setup.protocol === 'TLSv1.3') this.#model.violated('TLS 1.3 renegotiates');
  }

  #checkBuffers(step: string): void {
    const { readableLength, readableHighWaterMark, writableLength } = this.socket;
    if (readableLength > readableHighWaterMark + READ_AHEAD) {
      this.#model.violated(`${readableLength} bytes are kept to be read, after ${step}`);
    }
    if (writableLength > this.written) {
      this.#model.violated(`${writableLength} bytes wait to be written, of ${this.written}`);
    }
  }

  /** Of the option `signal`, which may outlive any number of connections. */
  get listeners(): number {
    return getEventListeners(this.#abort.signal, 'abort').length;
  }

  /** No more surprises: answers, reads and lets go of what it holds back. */
  calmDown(): void {
    const { socket } = this;
    this.#hooks.length = 0;
    this.asking.becomeWilling();
    while (socket.writableCorked > 0) socket.uncork();
    if (socket.destroyed) return;
    if (this.#setup.reading === 'manual') {
      this.#readsAll = true;
      this.#readAll();
    } else {
      socket.resume();
    }
  }
}
