/**
 * LDAP through `ldapts`, by ldaps: and by StartTLS; the certificate says who binds (SASL EXTERNAL). In a clone:
 *     node -r ./tools/register-typescript.cjs examples/clients/ldapts.ts ldaps://localhost ca.pem cert.pem key.pem
 */
import { readFile } from 'node:fs/promises';
import type tls from 'node:tls';
import { Client, type ClientOptions } from 'ldapts';
import { type ConnectionOptions, connect } from '../../lib/index'; // 'tls-client-cert'

const WHO_AM_I = '1.3.6.1.4.1.4203.1.11.3';

/** What ldapts calls in the place of `tls.connect()`: with port and host, or with the options of `startTLS()`. */
export function secureConnectionWith(
  options: ConnectionOptions,
): NonNullable<ClientOptions['createSecureConnection']> {
  const open = (portOrOptions: number | object, host?: string) =>
    connect(
      typeof portOrOptions === 'number'
        ? { port: portOrOptions, host, ...options }
        : { ...portOrOptions, ...options },
    );
  return open as unknown as typeof tls.connect;
}

async function main([url = '', caFile = '', certFile = '', keyFile = '']: string[]) {
  const ca = await readFile(caFile);
  const { protocol, hostname } = new URL(url);
  const client = new Client({
    url,
    createSecureConnection: secureConnectionWith({
      ca,
      host: hostname,
      clientCertCallback: async (request) => {
        console.log('the server trusts', request.certificateAuthorities.map(String));
        const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
        return { cert, key };
      },
    }),
  });
  try {
    if (protocol === 'ldap:') await client.startTLS();
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
