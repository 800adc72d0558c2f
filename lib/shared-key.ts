import { types } from 'node:util';
import type { NativeConnection } from './binding';
import { describe, invalidArgType, invalidArgValue, TLSClientCertError } from './errors';
import { snapshot } from './given';

/** What a {@link PskCallback} answers with. */
export interface SharedKeyAnswer {
  /** Long enough for the cipher's digest. It is copied. */
  psk: NodeJS.ArrayBufferView;
  /** Who has it, in the server's terms. */
  identity: string;
}

/**
 * Gives the key that is shared with the server in advance, RFC 4279 and RFC 8446, section 2.2.
 *
 * It is called as `tls.connect()` calls it: once before the ClientHello, without a hint, where TLS 1.3 may be
 * spoken, and once more when the server chose a PSK cipher of TLS 1.2; but never inside OpenSSL. The
 * ciphers of TLS 1.2 are to be named in `ciphers`. A server that shows the key has no certificate:
 * on TLS 1.2 the default `checkServerIdentity` does not accept it.
 *
 * @param hint - What the server said to help choosing; `null` on TLS 1.3, or when it said nothing.
 * @returns `null`: none. On TLS 1.3 the handshake goes on without, on TLS 1.2 it fails.
 */
export type PskCallback = (hint: string | null) => SharedKeyAnswer | null | undefined;

/**
 * Asks the callback for the key that the handshake waits for, and passes it on.
 *
 * @throws What the callback throws, in `ERR_TLS_PSK_CALLBACK` where that is no Error; TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` for what
 *   it returns.
 */
export function answerSharedKey(
  native: NativeConnection,
  callback: PskCallback,
  isOpen: () => boolean,
): void {
  const { hint, maxIdentity, maxKey } = native.sharedKeyRequest();
  const answer = ask(callback, hint);
  // The callback may have destroyed the connection.
  if (!isOpen()) return;
  if (answer === null || answer === undefined) {
    native.answerSharedKey();
    return;
  }
  if (typeof answer !== 'object') throw invalidArgType('ret', 'of type object', answer);
  const { psk, identity } = snapshot(answer as Partial<SharedKeyAnswer>, ['psk', 'identity']);
  if (!ArrayBuffer.isView(psk)) {
    throw invalidArgType('psk', 'an instance of Buffer, TypedArray, or DataView', psk);
  }
  if (psk.byteLength > maxKey) {
    throw invalidArgValue('psk', `exceeds ${maxKey} bytes`);
  }
  if (typeof identity !== 'string') throw invalidArgType('identity', 'of type string', identity);
  if (Buffer.byteLength(identity) > maxIdentity) {
    throw invalidArgValue('identity', `exceeds ${maxIdentity} bytes`);
  }
  if (identity.includes('\0')) throw invalidArgValue('identity', 'must not contain a zero byte');
  native.answerSharedKey(identity, new Uint8Array(psk.buffer, psk.byteOffset, psk.byteLength));
}

function ask(callback: PskCallback, hint: string | null): unknown {
  try {
    return callback(hint);
  } catch (error) {
    // As with node:tls; a stream could not be destroyed with anything else.
    if (types.isNativeError(error)) throw error;
    throw new TLSClientCertError(
      'ERR_TLS_PSK_CALLBACK',
      `pskCallback threw what is no Error: ${describe(error)}`,
      { cause: error },
    );
  }
}
