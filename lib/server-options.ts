import { toRaw } from './bytes';
import { invalidArgType, invalidArgValue, outOfRange } from './errors';

/**
 * Options of `tls.createSecureContext()` that only servers have a use for. They are taken, so that options
 * may be shared with a server, and checked as `node:tls` checks them; nothing comes of them.
 */
export interface ServerSideOptions {
  /** Without effect on a client. */
  dhparam?: string | NodeJS.ArrayBufferView | undefined;
  /** Without effect on a client. */
  honorCipherOrder?: boolean | undefined;
  /** Without effect on a client. (In `node:tls` no session made under another one can be resumed.) */
  sessionIdContext?: string | undefined;
  /** Without effect on a client. */
  sessionTimeout?: number | undefined;
  /** Without effect on a client. */
  ticketKeys?: NodeJS.ArrayBufferView | undefined;
}

const TICKET_KEYS_SIZE = 48;
const LARGEST_INT = 2 ** 31 - 1;

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; RangeError `ERR_OUT_OF_RANGE`. */
export function checkServerSide(options: ServerSideOptions): void {
  const { dhparam, sessionIdContext, sessionTimeout, ticketKeys } = options;
  if (dhparam != null) toRaw(dhparam, 'options.dhparam');
  if (sessionIdContext != null && typeof sessionIdContext !== 'string') {
    throw invalidArgType('options.sessionIdContext', 'of type string', sessionIdContext);
  }
  if (ticketKeys != null) {
    if (!ArrayBuffer.isView(ticketKeys)) {
      throw invalidArgType(
        'options.ticketKeys',
        'an instance of Buffer, TypedArray, or DataView',
        ticketKeys,
      );
    }
    if (ticketKeys.byteLength !== TICKET_KEYS_SIZE) {
      throw invalidArgValue('options.ticketKeys', `must be exactly ${TICKET_KEYS_SIZE} bytes`);
    }
  }
  if (sessionTimeout != null) {
    if (typeof sessionTimeout !== 'number') {
      throw invalidArgType('options.sessionTimeout', 'of type number', sessionTimeout);
    }
    if (
      !(Number.isInteger(sessionTimeout) && sessionTimeout >= 0 && sessionTimeout <= LARGEST_INT)
    ) {
      throw outOfRange(
        'options.sessionTimeout',
        `an integer >= 0 and <= ${LARGEST_INT}`,
        sessionTimeout,
      );
    }
  }
}
