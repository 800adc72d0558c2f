/**
 * Holds a private key and signs with it for whoever has the token: the other end of `remote-signer.ts`,
 * in the place of a cloud's key management. The key never leaves this process. In a clone:
 *     SIGNING_TOKEN=… node -r ./tools/register-typescript.cjs examples/remote-signer-server.ts key.pem 8200
 *
 *     POST /sign/rsa_pss_rsae_sha256      the path names the TLS signature scheme
 *     Authorization: Bearer <token>       the body is what is to be signed, not hashed
 *
 * It answers 200 with the bytes of the signature. Across a network, put it behind TLS: the token
 * is worth as much as the key.
 */
import {
  constants,
  createHash,
  createPrivateKey,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
  timingSafeEqual,
} from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';

/** On TLS 1.2 a client signs the whole handshake so far, both sides' certificates included. */
const MAX_DATA = 256 * 1024;

const signAsync = promisify(sign);

/** How a key signs under a scheme; undefined when it cannot (RFC 8446, section 4.2.3). */
function planFor(key: KeyObject, scheme: string): [string | null, SignKeyObjectInput] | undefined {
  const hash = /_(sha(?:256|384|512))$/.exec(scheme)?.[1] ?? null;
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (hash !== null && scheme === `rsa_pkcs1_${hash}`) return [hash, { key }];
      if (hash !== null && scheme === `rsa_pss_rsae_${hash}`) return [hash, pss(key)];
      return undefined;
    case 'rsa-pss':
      return hash !== null && scheme === `rsa_pss_pss_${hash}` ? [hash, pss(key)] : undefined;
    case 'ec':
      // The curve is the key's; TLS 1.2 takes any hash with it.
      return hash !== null && /^ecdsa_secp\d+r1_/.test(scheme) ? [hash, { key }] : undefined;
    default:
      return scheme === key.asymmetricKeyType ? [null, { key }] : undefined;
  }
}

function pss(key: KeyObject): SignKeyObjectInput {
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

/** An HTTP server that signs with `key`; it is yours to `listen()`. */
export function createSigningServer(key: KeyObject, token: string): Server {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return createServer((request, response) => {
    const refuse = (status: number) => {
      // What is left of the body is not waited for.
      response.writeHead(status, { connection: 'close' }).end();
    };
    // Digests have one length and tell nothing of each other: how long this takes says nothing.
    if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return refuse(401);
    const scheme = /^\/sign\/(\w+)$/.exec(request.url ?? '')?.[1];
    if (scheme === undefined) return refuse(404);
    if (request.method !== 'POST') return refuse(405);
    const plan = planFor(key, scheme);
    if (plan === undefined) return refuse(400);
    // Node reads no more of a body than its header says. One that does not say is not a number.
    if (!(Number(request.headers['content-length']) <= MAX_DATA)) return refuse(413);
    answer(request, response, plan).catch((error) => {
      console.error('not signed:', error);
      if (!response.headersSent) refuse(500);
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  [hash, key]: [string | null, SignKeyObjectInput],
): Promise<void> {
  // On a thread: other requests are served meanwhile.
  const signature = await signAsync(hash, await buffer(request), key);
  response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(signature);
}

async function main([file = '', port = '']: string[]): Promise<void> {
  const token = process.env.SIGNING_TOKEN;
  if (token === undefined || token === '') throw new Error('SIGNING_TOKEN is not set');
  const server = createSigningServer(createPrivateKey(readFileSync(file)), token);
  await once(server.listen(Number(port), '127.0.0.1'), 'listening');
  console.log('signing on port', port);
}

if (require.main === module) void main(process.argv.slice(2));
