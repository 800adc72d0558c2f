/**
 * Who was asked for a client certificate, what was answered, how long it took: without a line in the code that
 * connects. One JSON object for each message, with the work item it belongs to. In a clone:
 *     openssl s_server -verify 1 -accept 4433 -cert cert.pem -key key.pem
 *     node -r ./tools/register-typescript.cjs examples/observability.ts \
 *       localhost 4433 ca.pem cert.pem key.pem
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  type AnswerMessage,
  Credential,
  connect,
  type HandshakeMessage,
  type RequestMessage,
  type SuspendMessage,
} from '../lib/index'; // 'tls-client-cert'

/** What the process is doing; whoever begins a piece of work sets it. */
const work = new AsyncLocalStorage<string>();

function write(event: string, facts: object): void {
  console.log(JSON.stringify({ work: work.getStore(), event, ...facts }));
}

/** Messages are `unknown` to Node; each channel has one type. */
function watch<Message>(name: string, tell: (message: Message) => object): void {
  subscribe(`tls-client-cert:${name}`, (message) => write(name, tell(message as Message)));
}

watch<RequestMessage>('request', ({ request }) => ({
  server: request.servername,
  phase: request.phase,
  authorities: request.certificateAuthorities.map(String),
}));
watch<SuspendMessage>('suspend', ({ waitingFor }) => ({ waitingFor }));
watch<AnswerMessage>('answer', ({ answer, credential, error, duration }) => ({
  answer,
  subject: credential?.subject,
  error: error?.message,
  milliseconds: Math.round(duration),
}));
watch<HandshakeMessage>('handshake', ({ hostname, protocol, resumed, clientAuth, error }) => ({
  hostname,
  protocol,
  resumed,
  clientAuth: clientAuth.status,
  error: error?.message,
}));

const [host = '', port = '', ca = '', cert = '', key = ''] = process.argv.slice(2);
const credential = new Credential({ cert: readFileSync(cert), key: readFileSync(key) });

async function visit(name: string): Promise<void> {
  await work.run(name, async () => {
    const socket = connect(Number(port), host, {
      ca: readFileSync(ca),
      clientCertCallback: async () => {
        // The context is that of connect(), so that a log line in here belongs to the same work.
        write('note', { text: 'looking for a certificate' });
        return name === 'audit' ? null : credential;
      },
    });
    await once(socket, 'secureConnect');
    socket.destroy();
  });
}

visit('invoice 17')
  .then(() => visit('audit'))
  .catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
