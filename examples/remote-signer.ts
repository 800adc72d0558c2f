/**
 * A client certificate whose private key is elsewhere: every signature is made by a service, over HTTP.
 * The handshake waits for it, and the process goes on with everything else. `remote-signer-server.ts`
 * is the service; a cloud's key management would take its place. In a clone:
 *     SIGNING_TOKEN=… node -r ./tools/register-typescript.cjs examples/remote-signer.ts \
 *       localhost 4433 ca.pem cert.pem http://127.0.0.1:8200
 */
import { readFileSync } from 'node:fs';
import { Credential, connect, type SignatureScheme, type Signer } from '../lib/index'; // 'tls-client-cert'

export interface RemoteSignerOptions {
  /** The service: scheme, host and port. */
  readonly url: string;
  readonly token: string;
  /** What the service can sign. Default: whatever a key of the certificate's type can do. */
  readonly schemes?: readonly SignatureScheme[];
  /** Milliseconds for one signature. Default: 10 000. */
  readonly timeout?: number;
}

/** A signature of the largest RSA keys in use has 2048 bytes. */
const MAX_SIGNATURE = 2048;

/** Has a service sign. Node keeps the connections to it open from one signature to the next. */
export function remoteSigner(options: RemoteSignerOptions): Signer {
  const { url, token, schemes, timeout = 10_000 } = options;
  // Never with the token in it: this ends in error messages.
  const service = `the signing service at ${new URL(url).host}`;
  return {
    schemes,
    async sign(data, scheme, { signal }) {
      const deadline = AbortSignal.timeout(timeout);
      try {
        const response = await fetch(new URL(`/sign/${scheme}`, url), {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
          body: data,
          // What is signed, and the token, are for this service alone.
          redirect: 'error',
          signal: AbortSignal.any([signal, deadline]),
        });
        return await signatureIn(response, service, scheme);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (deadline.aborted) {
          throw new Error(`${service} gave no signature within ${timeout} ms`, { cause: error });
        }
        if (error instanceof ServiceError) throw error;
        throw new Error(`${service} cannot be reached`, { cause: error });
      }
    },
  };
}

/** The service was reached, and gave no signature. */
class ServiceError extends Error {}

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'cannot sign under',
  401: 'does not take the token, asked for',
};

async function signatureIn(
  response: Response,
  service: string,
  scheme: string,
): Promise<Uint8Array> {
  const { status } = response;
  if (status !== 200) {
    // Its words are not passed on: nobody knows what is in them.
    await response.body?.cancel();
    const what = REFUSALS[status] ?? 'gave no signature under';
    throw new ServiceError(`${service} ${what} ${scheme} (HTTP ${status})`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_SIGNATURE) {
      throw new ServiceError(`${service} answered with more than a signature`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function main([host, port, ca, cert, url]: string[]): void {
  const token = process.env.SIGNING_TOKEN;
  if (!host || !port || !ca || !cert || !url || !token) {
    console.error('usage: SIGNING_TOKEN=… remote-signer.ts HOST PORT CA.pem CERT.pem URL');
    process.exitCode = 2;
    return;
  }
  const credential = new Credential({
    cert: readFileSync(cert),
    key: remoteSigner({ url, token }),
  });
  const socket = connect({
    host,
    port: Number(port),
    ca: readFileSync(ca),
    clientCertCallback: () => credential,
  });
  socket.on('secureConnect', () => {
    console.log(socket.getProtocol(), socket.clientAuth.status);
    socket.end('hello\n');
  });
  socket.on('error', (error) => {
    console.error(error);
    process.exitCode = 1;
  });
  socket.pipe(process.stdout);
}

if (require.main === module) main(process.argv.slice(2));
