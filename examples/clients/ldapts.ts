/**
 * LDAP through `ldapts`, by ldaps: and by StartTLS; the certificate says who binds (SASL EXTERNAL). In a clone:
 *     node -r ./tools/register-typescript.cjs examples/clients/ldapts.ts ldaps://localhost ca.pem cert.pem key.pem
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import type tls from 'node:tls';
import { Client, type ClientOptions } from 'ldapts';
import { type ConnectionOptions, connect, type TLSSocket } from '../../lib/index'; // 'tls-client-cert'
import { upgrade } from '../../lib/starttls/index'; // 'tls-client-cert/starttls'

const WHO_AM_I = '1.3.6.1.4.1.4203.1.11.3';

/** For an `ldaps:` URL: what ldapts calls in the place of `tls.connect()`. */
export function ldaps(url: string, options: ConnectionOptions): ClientOptions {
  const open = (port: number, host: string) => connect({ port, host, ...options });
  return { url, createSecureConnection: open as unknown as typeof tls.connect };
}

/**
 * For an `ldap:` URL, by StartTLS: ldapts is given a connection that is under TLS already. It is for one
 * client, and for as long as it lasts.
 */
export async function startTls(
  url: string,
  options: ConnectionOptions,
  timeout = 120_000,
): Promise<ClientOptions> {
  const { host: authority, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, ''); // of an IPv6 address
  // For all of it, with the answer to the server's question.
  const signal = AbortSignal.timeout(timeout);
  let plain: net.Socket | undefined;
  let socket: TLSSocket | undefined;
  try {
    plain = await upgrade('ldap', net.connect(Number(port || 389), host), { signal });
    socket = connect({ host, ...options, socket: plain });
    await once(socket, 'secureConnect', { signal });
  } catch (error) {
    (socket ?? plain)?.destroy();
    throw error;
  }
  const secure = socket;
  // Until ldapts listens.
  secure.on('error', () => {});
  const open = () => {
    if (secure.destroyed)
      throw secure.errored ?? new Error(`The connection to ${authority} is over.`);
    return secure;
  };
  return {
    url: `ldaps://${authority}`,
    createSecureConnection: open as unknown as typeof tls.connect,
  };
}

async function main([url = '', caFile = '', certFile = '', keyFile = '']: string[]) {
  const ca = await readFile(caFile);
  const options: ConnectionOptions = {
    ca,
    clientCertCallback: async (request) => {
      console.log('the server trusts', request.certificateAuthorities.map(String));
      const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
      return { cert, key };
    },
  };
  const client = new Client(
    url.startsWith('ldap:') ? await startTls(url, options) : ldaps(url, options),
  );
  try {
    await client.bind('EXTERNAL');
    const { value } = await client.exop(WHO_AM_I);
    console.log('the server saw', value);
  } finally {
    await client.unbind();
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
