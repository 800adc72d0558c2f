/**
 * Mail by SMTP and STARTTLS, through `nodemailer`. In a clone:
 *     node -r ./tools/register-typescript.cjs examples/clients/nodemailer.ts localhost 587 ca.pem cert.pem key.pem \
 *       me@home.example you@mail.example
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { createTransport } from 'nodemailer';
import type SMTPTransport from 'nodemailer/lib/smtp-transport';
import { type ConnectionOptions, connect, type TLSSocket } from '../../lib/index'; // 'tls-client-cert'
import { upgrade } from '../../lib/starttls/index'; // 'tls-client-cert/starttls'

type GetSocket = NonNullable<SMTPTransport.Options['getSocket']>;

/** What nodemailer calls, with its own options, for each connection it wants. */
export function getSocketWith(options: ConnectionOptions): GetSocket {
  return async (smtp, done) => {
    const { host = 'localhost', port = 587, connectionTimeout = 120_000, name } = smtp;
    // Nodemailer does not look at the clock while it waits for a socket.
    const signal = AbortSignal.timeout(connectionTimeout);
    let plain: net.Socket | undefined;
    let socket: TLSSocket | undefined;
    try {
      let greeting: Uint8Array = Buffer.alloc(0);
      plain = await upgrade('smtp', net.connect(Number(port), host), {
        signal,
        name,
        onGreeting: (bytes) => {
          greeting = bytes;
        },
      });
      socket = connect({ host, ...options, socket: plain });
      await once(socket, 'secureConnect', { signal });
      // It waits for the greeting, which the server has said already.
      socket.unshift(greeting);
      const connection = socket as unknown as net.Socket; // of which it has all that is used
      done(null, { connection, secure: true, secured: true });
    } catch (error) {
      // connect() has not taken it over if it threw.
      (socket ?? plain)?.destroy();
      done(error as Error, {});
    }
  };
}

async function main([host, port, caFile = '', certFile = '', keyFile = '', from, to]: string[]) {
  const ca = await readFile(caFile);
  const transport = createTransport({
    host,
    port: Number(port),
    getSocket: getSocketWith({
      ca,
      clientCertCallback: async (request) => {
        console.log('the server trusts', request.certificateAuthorities.map(String));
        const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
        return { cert, key };
      },
    }),
  });
  const { response } = await transport.sendMail({ from, to, subject: 'Hello', text: 'Hello.' });
  console.log('the server said', response);
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
