/** Ways to break the library, each of which the model has to notice. */
import { Connection } from '../../lib/connection';
import { IdleTimer } from '../../lib/idle-timer';
import { Question } from '../../lib/question';
import { SocketTransport } from '../../lib/socket-transport';
import { Suspension } from '../../lib/suspension';
import { TLSSocket } from '../../lib/tls-socket';
import { credentials } from './asking';

/** Puts `make(original)` in the place of a method, and gives a function that undoes it. */
function replace<Class extends object, Name extends keyof Class>(
  prototype: Class,
  name: Name,
  make: (original: Class[Name]) => Class[Name],
): () => void {
  const own = Object.getOwnPropertyDescriptor(prototype, name);
  const value = make(prototype[name]);
  Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
  return () => {
    if (own === undefined) delete prototype[name];
    else Object.defineProperty(prototype, name, own);
  };
}

/** True once in so many times. */
function everyNth(n: number): () => boolean {
  let count = 0;
  return () => ++count % n === 0;
}

/** Milliseconds: the default of `clientCertTimeout`. Node's servers have the same for the handshake. */
const CLIENT_CERT_TIMEOUT = 120_000;

type Undo = () => void;

export const MUTANTS: Readonly<Record<string, () => Undo>> = {
  'a write is lost': () => {
    const now = everyNth(3);
    return replace(
      Connection.prototype,
      'write',
      (original) =>
        function (this: Connection, bytes) {
          return now() ? { status: 'done', bytes: bytes.length } : original.call(this, bytes);
        },
    );
  },
  'a write is done twice': () => {
    const now = everyNth(3);
    return replace(
      Connection.prototype,
      'write',
      (original) =>
        function (this: Connection, bytes) {
          if (now()) original.call(this, bytes);
          return original.call(this, bytes);
        },
    );
  },
  'what came is delivered twice': () =>
    replace(
      TLSSocket.prototype,
      'push',
      (original) =>
        function (this: TLSSocket, chunk, ...more) {
          if (chunk !== null && chunk.length > 0) original.call(this, Buffer.from(chunk));
          return original.call(this, chunk, ...more);
        },
    ),
  'what came is lost': () => {
    const now = everyNth(3);
    return replace(
      TLSSocket.prototype,
      'push',
      (original) =>
        function (this: TLSSocket, chunk, ...more) {
          return chunk !== null && now() ? true : original.call(this, chunk, ...more);
        },
    );
  },
  'the callback of renegotiate() is not called': () =>
    replace(
      TLSSocket.prototype,
      'renegotiate',
      (original) =>
        function (this: TLSSocket, options) {
          return original.call(this, options);
        },
    ),
  'a write is acknowledged twice': () =>
    replace(
      TLSSocket.prototype,
      '_write',
      (original) =>
        function (this: TLSSocket, chunk, encoding, callback) {
          original.call(this, chunk, encoding, (error) => {
            callback(error);
            this.writableLength === 0 && callback(error);
          });
        },
    ),
  'the same question is asked twice': () =>
    replace(
      Question.prototype,
      'put',
      (original) =>
        function (this: Question, request, callback) {
          original.call(this, request, (...args) => {
            callback(...args);
            return callback(...args);
          });
        },
    ),
  'a certificate is sent in place of a decline': () =>
    replace(
      Question.prototype,
      'put',
      (original) =>
        function (this: Question, request, callback) {
          original.call(this, request, (...args) => callback(...args) ?? credentials.B);
        },
    ),
  'another certificate is sent than was answered': () =>
    replace(
      Question.prototype,
      'put',
      (original) =>
        function (this: Question, request, callback) {
          original.call(this, request, (...args) => {
            const answer = callback(...args);
            return answer === credentials.A ? credentials.B : answer;
          });
        },
    ),
  'a signal does not abort': () =>
    replace(Question.prototype, 'cancel', () => function (this: Question) {}),
  'a spent suspension is taken': () =>
    replace(
      Suspension.prototype,
      'resume',
      (original) =>
        function (this: Suspension, ...answer) {
          try {
            original.apply(this, answer);
          } catch {}
        },
    ),
  "'close' does not come": () =>
    replace(
      TLSSocket.prototype,
      '_destroy',
      (original) =>
        function (this: TLSSocket, error) {
          original.call(this, error, () => {});
          Object.defineProperty(this, 'emit', { value: () => false });
        },
    ),
  "'close' comes twice": () =>
    replace(
      TLSSocket.prototype,
      '_destroy',
      (original) =>
        function (this: TLSSocket, error, callback) {
          original.call(this, error, callback);
          this.once('close', () => setImmediate(() => this.emit('close', false)));
        },
    ),
  'data comes after the end': () =>
    replace(
      TLSSocket.prototype,
      '_destroy',
      (original) =>
        function (this: TLSSocket, error, callback) {
          original.call(this, error, callback);
          setImmediate(() => setImmediate(() => this.emit('data', Buffer.alloc(0))));
        },
    ),
  'an error is kept quiet': () =>
    replace(
      TLSSocket.prototype,
      'destroy',
      (original) =>
        function (this: TLSSocket) {
          return original.call(this);
        },
    ),
  'a truncated stream ends as a whole one': () =>
    replace(
      Connection.prototype,
      'read',
      (original) =>
        function (this: Connection, target) {
          const result = original.call(this, target);
          return result.status === 'failed' ? { status: 'closed' } : result;
        },
    ),
  'a timer lives on': () =>
    replace(
      IdleTimer.prototype,
      'set',
      (original) =>
        function (this: IdleTimer, milliseconds) {
          if (milliseconds > 0) original.call(this, milliseconds);
        },
    ),
  'the deadline of a question lives on': () =>
    replace(
      globalThis,
      'clearTimeout',
      (original) =>
        function clearTimeout(timer) {
          const { _idleTimeout } = (timer ?? {}) as { _idleTimeout?: number };
          if (_idleTimeout !== CLIENT_CERT_TIMEOUT) original(timer);
        },
    ),
  'a descriptor stays open': () =>
    replace(SocketTransport.prototype, 'close', () => function (this: SocketTransport) {}),
};
