import type { ConnectionResult } from './connection-result';
import { gather, RECORD_SIZE } from './gather';
import type { LowerStream } from './lower-stream';
import type { OnRead } from './on-read';
import { PendingWrite } from './pending-write';
import { freeSlab, takeFromSlab } from './slab';
import { CONNECTION, SocketFacts } from './socket-facts';
import { Suspension } from './suspension';
import { writeAfterEnd } from './write-after-end';

/** Plaintext bytes that are read before others have a turn: as much as Node reads from a socket at a time. */
const READ_IN_A_TURN = 64 * 1024;

/**
 * Plaintext bytes that are written before others have a turn, where a peer takes all that it gets. Some ten ms; with
 * less, what waits meanwhile is joined into pieces that cost a stream half as much again.
 */
const WRITE_IN_A_TURN = 4 * 1024 * 1024;

/** Where the connection stands. */
type Phase = 'connecting' | 'handshake' | 'open' | 'over';

/**
 * Moves plaintext between the stream above and the connection, and brings the connection on whenever
 * something happens below.
 */
export abstract class SocketMachine<Self> extends SocketFacts<Self> {
  /** The protocol agreed on by ALPN, `false` when none was, `null` before `'secureConnect'`. */
  alpnProtocol: string | false | null = null;
  /** The server name sent (SNI), `false` when none was, `null` before `'secureConnect'`. */
  servername: string | false | null = null;
  /** Plaintext bytes received. */
  bytesRead = 0;
  /** @internal */
  protected phase: Phase = 'connecting';
  /** @internal A later handshake may be under way, which nobody's reading would bring on. */
  protected interrupted = false;
  /** @internal Nothing is there to be read before something happens. */
  protected exhausted = false;
  /** @internal Plaintext bytes encrypted. */
  protected sentBytes = 0;
  /** @internal Of these, what the stream still counts as waiting. */
  protected passingBytes = 0;
  /** @internal In place of the stream's readable side, with the option `onread`. */
  protected onRead: OnRead | undefined;
  /** @internal */
  protected writing: PendingWrite | undefined;
  /** @internal Why it was destroyed, once it was. */
  protected over: (() => Error) | undefined;
  #told: Suspension | undefined;
  #reading = false;
  #wantsRead = false;
  /** Enough was read in this turn of the event loop; the rest follows in the next. */
  #readsOn = false;
  #turnAhead = false;
  /** Plaintext bytes since a write last waited for a turn. */
  #writtenOn = 0;
  #final: ((error?: Error | null) => void) | undefined;
  #advancing = false;
  #advanceAgain = false;

  /** @internal */
  protected abstract readonly lower: LowerStream;

  /** @internal Something moved: nobody is idle. */
  protected abstract touch(): void;

  /** @internal The error that the socket is destroyed with. */
  protected abstract disguised(error: Error): Error;

  /** @internal The error of a connection whose transport is gone. */
  protected abstract disconnected(): Error;

  /** Plaintext bytes written, those included that wait to be encrypted. */
  get bytesWritten(): number {
    return this.sentBytes + this.writableLength - this.passingBytes;
  }

  // ---- the stream

  override _read(): void {
    this.#reading = true;
    if (!this.exhausted && !this.#readsOn) this.advance();
  }

  /** As of `net.Socket`: with `onread` it holds up the callback as well. */
  override pause(): this {
    if (this.onRead !== undefined) this.#reading = false;
    return super.pause();
  }

  override resume(): this {
    if (this.onRead !== undefined) process.nextTick(() => this.isPaused() || this._read());
    return super.resume();
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.writing = new PendingWrite([chunk], callback);
    this.advance();
  }

  override _writev(items: { chunk: Uint8Array }[], callback: (error?: Error | null) => void): void {
    this.writing = new PendingWrite(gather(items.map(({ chunk }) => chunk)), callback);
    this.advance();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#final = callback;
    this.advance();
  }

  // ---- the machine

  /** @internal Goes on as far as possible. Called again from within, it goes round once more. */
  protected advance(): void {
    if (this.#advancing) {
      this.#advanceAgain = true;
      return;
    }
    this.#advancing = true;
    this.#wantsRead = false;
    let completed = false;
    try {
      do {
        this.#advanceAgain = false;
        if (this.phase === 'handshake') this.#handshake();
        if (this.phase === 'open' && this.interrupted) this.#goOn();
        if (this.phase === 'open') this.#pumpReads();
        if (this.phase === 'open') this.#pumpWrites();
      } while (this.#advanceAgain && this.phase !== 'over');
      completed = true;
    } finally {
      this.#advancing = false;
      // A listener threw: what it kept from happening still has to.
      if (!completed) process.nextTick(() => this.advance());
      // Below the limit it flows even while nobody reads, so that its end is seen.
      if (!this.#readsOn && (this.phase === 'handshake' || this.phase === 'open')) {
        const exhausted = this.exhausted;
        // Unless the end is found now, which says so.
        if (this.#wantsRead) this.exhausted = true;
        this.lower.transport?.rest(exhausted);
      }
    }
  }

  #handshake(): void {
    const result = this[CONNECTION].handshake();
    if (result.status !== 'done') {
      this.#stopped(result);
      return;
    }
    this.flush();
    // Where that could not leave, it is over.
    if (this.destroyed) return;
    this.phase = 'open';
    this.alpnProtocol = this[CONNECTION].alpnProtocol;
    this.servername = this[CONNECTION].servername;
    // TLS 1.2 has its session by now: it is told of after 'secureConnect'.
    this.interrupted = true;
    this.touch();
    try {
      this.emit('secureConnect');
    } finally {
      // Alerts and the server's end are to be seen even if nobody reads, as in net.Socket.
      if (!this.destroyed && !this.isPaused()) this.read(0);
    }
  }

  /** A handshake within the connection is brought on even while nobody reads. */
  #goOn(): void {
    const result = this[CONNECTION].handshake();
    if (result.status === 'done') {
      this.interrupted = false;
      this.flush();
    } else if (result.status !== 'closed') {
      // The end comes in its turn, behind what is still to be read.
      this.#stopped(result);
    }
  }

  /** What follows when an operation cannot go on now, or ever. */
  #stopped(result: ConnectionResult): void {
    // What failed may have been destroyed by the caller meanwhile: then nothing follows.
    if (this.destroyed) return;
    if (result.status === 'failed') {
      this.destroy(this.disguised(result.error));
      return;
    }
    this.flush();
    if (result.status === 'suspended') {
      this.interrupted = true;
      const { suspension } = result;
      if (suspension === null || suspension === this.#told) return;
      this.#told = suspension;
      if (!this.emit('suspend', suspension)) Suspension.unheard(suspension);
    } else if (result.status === 'closed') {
      if (this.phase === 'handshake') {
        // Nothing came that this could be the end of.
        this.destroy(this.disconnected());
        return;
      }
      this.#reading = false;
      if (!this.allowHalfOpen) this.write = writeAfterEnd;
      this.push(null);
      // As net.Socket does: 'end' comes even if nobody reads.
      this.read(0);
    }
  }

  #pumpReads(): void {
    const before = this.bytesRead;
    while (this.#reading && this.phase === 'open' && !this.exhausted && !this.#readsOn) {
      const result = this[CONNECTION].read(this.onRead?.target ?? freeSlab);
      this.exhausted = result.status === 'done' && this[CONNECTION].exhausted;
      this.#wantsRead = result.status === 'want-read';
      if (result.status !== 'done') {
        this.#stopped(result);
        return;
      }
      const chunk = this.onRead === undefined ? takeFromSlab(result.bytes) : null;
      this.bytesRead += result.bytes;
      // _read may be called from within push(), and must not be undone by its result.
      this.#reading = false;
      let goesOn = true;
      try {
        goesOn = this.onRead?.deliver(result.bytes) ?? this.push(chunk);
      } finally {
        // Also when a listener threw: the stream would not ask again by itself.
        if (goesOn) this.#reading = true;
      }
      if (this.bytesRead - before >= READ_IN_A_TURN) this.#readOn();
    }
    this.flush();
  }

  /**
   * Others have a turn first: promises, timers, other connections. A server that sends faster than somebody
   * reads would keep all of them waiting.
   */
  #readOn(): void {
    if (this.phase !== 'open' || this.exhausted) return;
    this.#readsOn = true;
    if (this.#turnAhead) return;
    this.#turnAhead = true;
    setImmediate(() => {
      this.#turnAhead = false;
      this.turn();
    });
  }

  /** @internal Goes on in a turn of its own. */
  protected turn(): void {
    this.#readsOn = false;
    this.advance();
  }

  #pumpWrites(): void {
    const writing = this.writing;
    if (writing === undefined) {
      this.#finish();
      return;
    }
    const before = writing.written;
    const stopped = writing.encrypt(this[CONNECTION]);
    const count = writing.written - before;
    this.sentBytes += count;
    this.passingBytes += count;
    if (stopped !== undefined) {
      this.#stopped(stopped);
      return;
    }
    this.writing = undefined;
    this.touch();
    const passedOn = !this[CONNECTION].hasOutput;
    // What is small waits a turn for more, to be gathered with it; it has left already.
    if (passedOn && count >= RECORD_SIZE) this.#passedOn(writing, count);
    else this.flush((error) => this.#passedOn(writing, count, error));
  }

  /**
   * The transport took `count` bytes of what was encrypted of `writing`. Who writes on whenever that is so would
   * keep the loop from everybody else, and us from reading.
   */
  #passedOn(writing: PendingWrite, count: number, error?: Error | null): void {
    this.#writtenOn += count;
    if (error || this.#writtenOn < WRITE_IN_A_TURN) {
      this.#written(writing, error);
      return;
    }
    this.#writtenOn = 0;
    setImmediate(() => this.#written(writing));
  }

  #written(writing: PendingWrite, error?: Error | null): void {
    this.touch();
    if (error) this.lastWords();
    const rest = !writing.done;
    if (!rest || error || this.phase !== 'open') this.passingBytes = 0;
    if (error || (rest && this.phase !== 'open')) {
      writing.callback(this.over?.() ?? error ?? this.disconnected());
    } else if (rest) {
      this.writing = writing;
      this.advance();
    } else {
      writing.callback();
    }
  }

  /**
   * @internal Who does not take our bytes any more may have said why before: on TLS 1.3, that it takes no
   * such certificate.
   */
  protected lastWords(): void {
    if (this.phase !== 'open' || this.lower.transport?.kind !== 'socket') return;
    this.exhausted = false;
    this.advance();
  }

  /** close_notify, then the end of the transport's writing side, as node:tls does. */
  #finish(): void {
    const final = this.#final;
    if (final === undefined) return;
    const result = this[CONNECTION].shutdown();
    if (result.status !== 'done') {
      // In the middle of a renegotiation: it is tried again when that goes on.
      this.#stopped(result);
      return;
    }
    this.#final = undefined;
    this.flush();
    // 'finish' is when all of it was passed on: after it we may be destroyed.
    this.lower.transport?.end(final);
  }

  /** @internal Sends what the machine has for the peer. */
  protected flush(written?: (error?: Error | null) => void): void {
    if (!this[CONNECTION].hasOutput) {
      if (written !== undefined) process.nextTick(written);
      return;
    }
    if (this.lower.flush(written) !== 'gone') return;
    if (written !== undefined) {
      process.nextTick(written, this.disconnected());
    } else if (this.phase === 'handshake') {
      // Somebody else ended the stream below: the server would wait for this for ever.
      const error = this.disconnected();
      this[CONNECTION].neverLeft(error);
      this.destroy(error);
    }
  }
}
