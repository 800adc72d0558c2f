/**
 * Which of a request's options belong to its connection, and so decide whether it may share one.
 */
import { createHmac, type Hmac, randomBytes } from 'node:crypto';
import { invalidArgValue } from '../errors';
import { given } from '../given';
import type { ConnectionOptions } from '../options';
import type { ProtocolOptions } from '../protocol-options';
import { SecureContext } from '../secure-context';
import type { ClientCertCallback } from '../types';

/** What of `connect()` an agent has for all of its connections; hosts and ports come with the requests. */
export type CommonOptions = Omit<ProtocolOptions, 'host'> & Pick<ConnectionOptions, 'transport'>;

/**
 * `'identity'`: says who the client is; what a request says replaces all that the agent says of it.
 * `'context'`: makes a context. `'connection'`: the rest.
 */
type Kind = 'identity' | 'context' | 'connection';

/** All of them: what is missing here does not compile. */
const KINDS: Readonly<Record<keyof CommonOptions, Kind>> = {
  cert: 'identity',
  key: 'identity',
  pfx: 'identity',
  passphrase: 'identity',
  credential: 'identity',
  clientCertCallback: 'identity',
  secureContext: 'identity',
  sessionCredential: 'identity',
  pskCallback: 'identity',
  ca: 'context',
  crl: 'context',
  ciphers: 'context',
  ecdhCurve: 'context',
  sigalgs: 'context',
  minVersion: 'context',
  maxVersion: 'context',
  secureOptions: 'context',
  secureProtocol: 'context',
  allowPartialTrustChain: 'context',
  dhparam: 'context',
  honorCipherOrder: 'context',
  sessionIdContext: 'context',
  sessionTimeout: 'context',
  ticketKeys: 'context',
  clientCertTimeout: 'connection',
  requireClientCert: 'connection',
  rejectUnauthorized: 'connection',
  servername: 'connection',
  checkServerIdentity: 'connection',
  postHandshakeAuth: 'connection',
  reselectClientCert: 'connection',
  session: 'connection',
  ALPNProtocols: 'connection',
  requestOCSP: 'connection',
  minDHSize: 'connection',
  enableTrace: 'connection',
  transport: 'connection',
};

const NAMES = Object.keys(KINDS) as (keyof CommonOptions)[];

/** Those that a context has settled: `connect()` would pass over them. */
const SETTLED = NAMES.filter(
  (name) =>
    name !== 'secureContext' &&
    name !== 'clientCertCallback' &&
    name !== 'sessionCredential' &&
    name !== 'pskCallback' &&
    KINDS[name] !== 'connection',
);

/** Takes what belongs to connections out of `options`; the rest is the agent's own. */
export function split<Options extends object>(
  options: Options,
): [common: CommonOptions, rest: Omit<Options, keyof CommonOptions>] {
  const rest = { ...options };
  const common = commonOf(options);
  for (const name of NAMES) delete (rest as CommonOptions)[name];
  return [common, rest];
}

/** Those of {@link CommonOptions} that are given. Clients pass `undefined` for what they leave to others. */
function commonOf(options: object): CommonOptions {
  const found: Record<string, unknown> = Object.create(null);
  for (const name of NAMES) {
    const value = given(options as CommonOptions, name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/**
 * What an agent's and a request's options are together: the request's go before. An identity is never
 * put together of both: a request that names any part of one has none of the agent's.
 *
 * The agent's `secureContext` stays, for its trust and settings, with a request that names an identity and no
 * context; its callback is not asked then.
 *
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for what would change the agent's `secureContext`, and for an identity
 *   beside one that holds a certificate, which would be sent whatever else is set.
 */
export function combined(common: CommonOptions, request: object): CommonOptions {
  const own = commonOf(request);
  const names = Object.keys(own) as (keyof CommonOptions)[];
  const identity = names.find((name) => KINDS[name] === 'identity');
  // What is no context at all is for connect() to refuse.
  const context =
    own.secureContext === undefined && SecureContext.is(common.secureContext)
      ? common.secureContext
      : undefined;
  if (context !== undefined) {
    const settled = SETTLED.find((name) => own[name] !== undefined);
    if (settled !== undefined) {
      throw invalidArgValue(
        `options.${settled}`,
        'of a request cannot change the secureContext of its agent: give the request a secureContext of its own',
      );
    }
    if (identity !== undefined && context.credentials.length > 0) {
      throw invalidArgValue(
        `options.${identity}`,
        'of a request cannot keep the secureContext of its agent from sending the certificate that it holds: give the request a secureContext of its own',
      );
    }
  }
  if (identity === undefined) return { ...common, ...own };
  const others: CommonOptions = Object.fromEntries(
    Object.entries(common).filter(([name]) => KINDS[name as keyof CommonOptions] !== 'identity'),
  );
  if (context === undefined) return { ...others, ...own };
  const combination = { ...others, ...own, secureContext: context };
  // Without a callback of the request's, the context's would answer.
  if (!own.clientCertCallback && context.getClientCertCallback() !== null) {
    combination.clientCertCallback = decline;
  }
  return combination;
}

const decline: ClientCertCallback = () => null;

/** Of no use to anyone who finds the digest: passphrases are easily guessed. */
const DIGEST_KEY = randomBytes(32);

/** The server's name is for the caller to add; a session carries within itself whose it is. */
const POOLED = [...NAMES.filter((name) => name !== 'servername' && name !== 'session'), 'socket'];

/**
 * Equal for requests that may share a connection, as far as their own options go: bytes and text by what
 * they hold, objects and functions by which they are. Empty when a request has none. Nothing secret can
 * be read from it.
 */
export function poolName(request: object): string {
  let hmac: Hmac | undefined;
  for (const name of POOLED) {
    const value = given(request as Record<string, unknown>, name);
    if (value === undefined) continue;
    hmac ??= createHmac('sha256', DIGEST_KEY);
    hmac.update(`${name}:`);
    describe(value, hmac);
  }
  return hmac?.digest('base64') ?? '';
}

/** Unambiguous: each value says its kind, and how long it is. */
function describe(value: unknown, hmac: Hmac): void {
  if (typeof value === 'string') {
    hmac.update(`s${Buffer.byteLength(value)}:`).update(value);
  } else if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    hmac.update(`b${byteLength}:`).update(new Uint8Array(buffer, byteOffset, byteLength));
  } else if (Array.isArray(value)) {
    hmac.update(`a${value.length}:`);
    for (const item of value) describe(item, hmac);
  } else if (isRecord(value)) {
    const entries = Object.entries(value);
    hmac.update(`o${entries.length}:`);
    for (const [name, item] of entries) {
      describe(name, hmac);
      describe(item, hmac);
    }
  } else if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
    hmac.update(`i${identityOf(value)}:`);
  } else {
    hmac.update(`p${typeof value}:${String(value)}:`);
  }
}

/** Plain, as `{ pem, passphrase }` is. What has functions in it, a signer for instance, is what it is. */
function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return !Object.values(value).some((item) => typeof item === 'function');
}

const identities = new WeakMap<object, number>();
let lastIdentity = 0;

function identityOf(object: object): number {
  let identity = identities.get(object);
  if (identity === undefined) {
    identity = ++lastIdentity;
    identities.set(object, identity);
  }
  return identity;
}
