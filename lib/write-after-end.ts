import { Duplex } from 'node:stream';
import { TLSClientCertError } from './errors';

type Written = (error?: Error | null) => void;

/**
 * `write()` once the server has ended: as that of a `net.Socket`, which tells whose end it was by `EPIPE`. The stream's
 * own says `ERR_STREAM_WRITE_AFTER_END`, as if the caller had called `end()`.
 */
export function writeAfterEnd(
  this: Duplex,
  chunk: unknown,
  encoding?: BufferEncoding | Written,
  callback?: Written,
): boolean {
  if (!this.writableEnded) {
    return Duplex.prototype.write.call(this, chunk, encoding as BufferEncoding, callback);
  }
  const written = typeof encoding === 'function' ? encoding : callback;
  const error = new TLSClientCertError(
    'EPIPE',
    'The server has ended the connection, so nothing more can be written to it. With allowHalfOpen it could.',
  );
  if (typeof written === 'function') process.nextTick(written, error);
  this.destroy(error);
  return false;
}
