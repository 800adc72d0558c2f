import { invalidArgType } from './errors';
import type { ConnectionOptions } from './options';

/**
 * The arguments of {@link connect}. No overloads, so that a callback among the options may name the socket that
 * it is for: `const socket = connect({ clientCertCallback: () => { … socket … } })`.
 */
export type ConnectParameters =
  | [options: ConnectionOptions, listener?: (() => void) | undefined]
  | [portOrPath: number | string, listener?: (() => void) | undefined]
  | [
      portOrPath: number | string,
      options?: ConnectionOptions | undefined,
      listener?: (() => void) | undefined,
    ]
  | [port: number | string, host: string, listener?: (() => void) | undefined]
  | [
      port: number | string,
      host?: string | undefined,
      options?: ConnectionOptions | undefined,
      listener?: (() => void) | undefined,
    ];

export interface ConnectArguments {
  /** The caller's, copied: what is inherited does not count, what changes later does not either. */
  readonly options: ConnectionOptions;
  readonly listener: (() => void) | undefined;
}

/**
 * `[port | path,] [host,] [options,] [listener]`, told apart by their types as `tls.connect()` does.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function connectArguments(args: readonly unknown[]): ConnectArguments {
  const [first, second, third] = args;
  // Without a prototype: nothing that somebody has put on Object.prototype is an option.
  const options: Record<string, unknown> = Object.create(null);
  if (isObject(first)) Object.assign(options, first);
  else if (isPath(first)) options.path = first;
  else if (first !== undefined) options.port = first;
  if (!isObject(first) && typeof second === 'string') options.host = second;
  // They go before the port and the host to their left.
  if (isObject(second)) Object.assign(options, second);
  else if (isObject(third)) Object.assign(options, third);
  return { options, listener: listenerOf(args) };
}

/** The last of the arguments, wherever it stands. Only what could be nothing else is passed over. */
function listenerOf(args: readonly unknown[]): (() => void) | undefined {
  const last = args.length > 1 ? args.at(-1) : undefined;
  if (typeof last === 'function') return last as () => void;
  const mistaken =
    last !== undefined &&
    last !== null &&
    !isObject(last) &&
    !(typeof last === 'string' && args.length === 2 && !isObject(args[0]));
  if (mistaken) throw invalidArgType('listener', 'of type function', last);
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Any string but one that is a number: `'443'` is a port, and so is `''`, a wrong one. */
function isPath(value: unknown): value is string {
  return typeof value === 'string' && !(Number(value) >= 0);
}
