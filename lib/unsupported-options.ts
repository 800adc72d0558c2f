/**
 * Options of `node:tls` that have no effect here: which of them must not be passed over in silence, and the types of
 * the rest.
 */
import { invalidArgType, invalidArgValue, outOfRange } from './errors';

type Options = Readonly<Record<string, unknown>>;

/** Of a context, and what to do instead. */
const OF_A_CONTEXT: Readonly<Record<string, string>> = {
  secureProtocol: 'set minVersion and maxVersion instead',
  privateKeyEngine: 'OpenSSL engines are gone in OpenSSL 4',
  privateKeyIdentifier: 'OpenSSL engines are gone in OpenSSL 4',
  clientCertEngine: 'OpenSSL engines are gone in OpenSSL 4; use clientCertCallback',
};

/** Refuses what is set of `names`. `false` and what is empty ask for nothing. */
export function refuseUnsupported(options: object, names: Readonly<Record<string, string>>): void {
  for (const [name, instead] of Object.entries(names)) {
    const value = (options as Options)[name];
    if (value !== undefined && value !== null && value !== false) {
      throw invalidArgValue(`options.${name}`, `is not supported here: ${instead}`);
    }
  }
}

/**
 * What a context cannot do, and the types of what only servers need: programs share options between both.
 *
 * @throws TypeError `ERR_INVALID_ARG_VALUE`, `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE`: as
 *   `tls.createSecureContext()`.
 */
export function checkUnusedContextOptions(options: object): void {
  refuseUnsupported(options, OF_A_CONTEXT);
  const { dhparam, sessionIdContext, sessionTimeout, ticketKeys } = options as Options;
  if (isGiven(dhparam) && typeof dhparam !== 'string' && !ArrayBuffer.isView(dhparam)) {
    const expected = 'of type string or an instance of Buffer, TypedArray or DataView';
    throw invalidArgType('options.dhparam', expected, dhparam);
  }
  if (isGiven(sessionIdContext) && typeof sessionIdContext !== 'string') {
    throw invalidArgType('options.sessionIdContext', 'of type string', sessionIdContext);
  }
  if (isGiven(sessionTimeout)) {
    if (typeof sessionTimeout !== 'number') {
      throw invalidArgType('options.sessionTimeout', 'of type number', sessionTimeout);
    }
    if (!(Number.isInteger(sessionTimeout) && sessionTimeout >= 0 && sessionTimeout < 2 ** 31)) {
      const range = 'an integer >= 0 and <= 2147483647';
      throw outOfRange('options.sessionTimeout', range, sessionTimeout);
    }
  }
  if (isGiven(ticketKeys)) {
    if (!ArrayBuffer.isView(ticketKeys)) {
      const expected = 'an instance of Buffer, TypedArray or DataView';
      throw invalidArgType('options.ticketKeys', expected, ticketKeys);
    }
    if (ticketKeys.byteLength !== 48) {
      throw invalidArgValue('options.ticketKeys', 'must be exactly 48 bytes');
    }
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
