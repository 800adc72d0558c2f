import type { SecureVersion } from 'node:tls';

/** The range of versions of each of OpenSSL's old methods; `null`: the default. */
const METHODS: Readonly<Record<string, readonly [SecureVersion | null, SecureVersion]>> = {
  // What it was before there was TLS 1.3, and so it is in Node.
  SSLv23: [null, 'TLSv1.2'],
  TLS: ['TLSv1', 'TLSv1.3'],
  TLSv1: ['TLSv1', 'TLSv1'],
  TLSv1_1: ['TLSv1.1', 'TLSv1.1'],
  TLSv1_2: ['TLSv1.2', 'TLSv1.2'],
};

/**
 * The versions that the old name of a method stands for, `'TLSv1_2_method'` or `'TLS_client_method'`.
 *
 * @throws TypeError `ERR_TLS_INVALID_PROTOCOL_METHOD`
 */
export function methodVersions(method: string): readonly [SecureVersion | null, SecureVersion] {
  const [, name = '', side] = /^(\w+?)(?:_(client|server))?_method$/.exec(method) ?? [];
  if (name === 'SSLv2' || name === 'SSLv3') throw invalidMethod(`${name} methods disabled`);
  const versions = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (versions === undefined) throw invalidMethod(`Unknown method: ${method}`);
  if (side === 'server') throw invalidMethod(`A client cannot use a server's method: ${method}`);
  return versions;
}

function invalidMethod(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_TLS_INVALID_PROTOCOL_METHOD' });
}
