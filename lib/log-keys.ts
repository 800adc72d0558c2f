import { appendFileSync } from 'node:fs';
import { invalidArgType, messageOf } from './errors';

/** What emits the secrets of connections: a socket, or an agent. */
export interface KeyLogSource {
  on(event: 'keylog', listener: (line: Buffer) => void): unknown;
}

/**
 * Writes the secrets of a connection to a file in the format that Wireshark and other programs read (as of the
 * environment variable `SSLKEYLOGFILE`), so that they can show what went over the wire. **Whoever has
 * the file can read the connection.** A connection writes those that come up from now on; to have
 * them all, call this as soon as the socket is made.
 *
 * Each line is appended by one write, so that several connections and processes can share the file; it
 * is made readable for its owner alone. It is written at once, before the data that it protects arrives.
 * When that fails there is a warning (`TLSKeyLogWarning`), and the connection goes on.
 *
 * @example
 * ```ts
 * const socket = connect({ host: 'example.com', port: 443 });
 * if (process.env.SSLKEYLOGFILE) logKeys(socket, process.env.SSLKEYLOGFILE);
 * ```
 *
 * @param source - A socket, or whatever else emits `'keylog'`, such as an `https.Agent`.
 * @param file - Its path.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function logKeys(source: KeyLogSource, file: string): void {
  if (source === null || typeof source !== 'object' || typeof source.on !== 'function') {
    throw invalidArgType('source', "a socket, or something else that emits 'keylog'", source);
  }
  if (typeof file !== 'string') throw invalidArgType('file', 'of type string', file);
  let warned = false;
  source.on('keylog', (line) => {
    try {
      appendFileSync(file, line, { mode: 0o600 });
    } catch (error) {
      if (warned) return;
      warned = true;
      process.emitWarning(
        `The secrets of a connection cannot be written to ${file}: ${messageOf(error)}`,
        'TLSKeyLogWarning',
      );
    }
  });
}
