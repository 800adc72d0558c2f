/**
 * A client certificate on a smart card: lists those that the server accepts, asks which and for the PIN,
 * and prints what the server says. Both questions close themselves when the handshake is over. In a
 * clone, with `npm install pkcs11js` (docs/guides/smart-cards.md makes a card to try it with):
 *     node -r ./tools/register-typescript.cjs examples/smart-card.ts \
 *       /usr/lib/softhsm/libsofthsm2.so localhost 4433 server-ca.pem
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { connect } from '../lib/index'; // 'tls-client-cert'
import { type PinRequest, Pkcs11Module } from '../lib/signers/pkcs11/index'; // 'tls-client-cert/pkcs11'

const [path = '', host = '', port = '', ca = ''] = process.argv.slice(2);

let hidden = false;
const output = new Writable({
  write(chunk, _encoding, done) {
    if (!hidden) process.stdout.write(chunk);
    done();
  },
});
const terminal = createInterface({
  input: process.stdin,
  output,
  terminal: process.stdin.isTTY === true,
});
const closed = new AbortController();
terminal.once('close', () => closed.abort(new Error('nobody is there to answer')));

async function ask(question: string, signal: AbortSignal, hide = false): Promise<string> {
  try {
    const answer = terminal.question(question, {
      signal: AbortSignal.any([signal, closed.signal]),
    });
    // The question is there by now; what is typed is not to be.
    hidden = hide;
    return await answer;
  } catch (error) {
    throw (error as Error).cause ?? error; // why it was aborted
  } finally {
    hidden = false;
    if (hide || signal.aborted) process.stdout.write('\n');
  }
}

const TRIES = { many: '', few: ' (there was a wrong one before)', last: ' (the LAST try)' };

function askPin({ token, triesLeft, purpose, label, signal }: PinRequest): Promise<string> {
  const what = purpose === 'login' ? `card "${token.label}"` : `a signature by "${label}"`;
  return ask(`PIN for ${what}${TRIES[triesLeft]}: `, signal, true);
}

async function main(): Promise<void> {
  const cards = await Pkcs11Module.load(path, { pin: askPin });
  const socket = connect({
    host,
    port: Number(port),
    ca: readFileSync(ca),
    clientCertCallback: async (request, { signal }) => {
      const identities = await cards.identities();
      const fitting = identities.filter(
        (identity) =>
          request.matchesAuthorities(identity.credential()) &&
          request.supports(identity.credential()) === true,
      );
      if (fitting.length === 0) {
        console.log('No certificate on a card is one that the server accepts.');
        return null;
      }
      fitting.forEach(({ label, token, certificate }, i) => {
        const subject = certificate.subject.split('\n').join(', ');
        console.log(`${i + 1}  ${label} on "${token.label}": ${subject}`);
      });
      const answer = await ask('Which one? (nothing: none) ', signal);
      return fitting[Number(answer) - 1]?.credential() ?? null;
    },
  });
  socket.on('secureConnect', () => {
    console.log(`connected; certificate: ${socket.clientAuth.status}`);
    socket.end('hello\n');
  });
  socket.on('data', (data: Buffer) => console.log(`the server: ${String(data).trim()}`));
  socket.on('error', (error: Error & { code?: string }) => {
    const { cause } = error as { cause?: Error };
    console.error(`${error.code}: ${cause?.message ?? error.message}`);
    process.exitCode = 1;
  });
  socket.on('close', async () => {
    terminal.close();
    await cards.close();
  });
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
  terminal.close();
});
