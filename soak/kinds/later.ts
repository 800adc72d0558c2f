/** Servers that ask after the handshake: TLS 1.3's request by Python's ssl, renegotiation by node:tls. */
import type { ClientCertCallback } from '../../lib/index';
import { SUSPEND } from '../../lib/index';
import type { Attempt } from '../attempt';
import { between } from '../random';
import { type Talk, Wrong } from '../talk';
import { type Kinds, pause, RESET, turn } from './kind';

/** At once, after a turn, after some ms, or by a `Suspension`. */
function answering({ identity, random }: Attempt): ClientCertCallback {
  const { credential } = identity;
  const ways: ClientCertCallback[] = [
    () => credential,
    () => turn().then(() => credential),
    () => pause(between(random, 1, 10)).then(() => credential),
    ({ attempt }) => (attempt === 1 ? SUSPEND : credential),
  ];
  return ways[Math.floor(random() * ways.length)] as ClientCertCallback;
}

function dialLater(attempt: Attempt, clientCertCallback = answering(attempt)): Talk {
  const talk = attempt.dialTo(attempt.world.ports.later, {
    secureContext: attempt.world.contexts['TLSv1.3'],
    clientCertCallback,
  });
  talk.socket.on('suspend', (suspension) => setImmediate(() => suspension.resume()));
  return talk;
}

async function who(attempt: Attempt, talk: Talk): Promise<void> {
  talk.say('who');
  attempt.mustBe((JSON.parse(await talk.line()) as { fingerprint: string }).fingerprint);
}

async function ask(attempt: Attempt): Promise<void> {
  const talk = dialLater(attempt);
  talk.say('ask');
  const said = await talk.line();
  if (said !== 'asked') throw new Wrong(`the server says ${said}`);
  await who(attempt, talk);
  await talk.end();
}

/** In the middle of what the client sends, which has to wait for the answer and be whole. */
async function askInUpload(attempt: Attempt): Promise<void> {
  const talk = dialLater(attempt);
  talk.say(`sink ${UPLOAD.length} every ${between(attempt.random, 20_000, UPLOAD.length)}`);
  talk.socket.write(UPLOAD);
  const said = await talk.line();
  if (!said.startsWith(`sunk ${UPLOAD.length} `)) throw new Wrong(`the server says ${said}`);
  await who(attempt, talk);
  await talk.end();
}

const UPLOAD = Buffer.alloc(50_000, 'upload');

async function resetAsked(attempt: Attempt): Promise<void> {
  const talk = dialLater(attempt, () => new Promise(() => {}));
  talk.say('ask-then-reset');
  await talk.closed;
}

async function renegotiate(attempt: Attempt): Promise<void> {
  const { identity } = attempt;
  const answer = answering(attempt);
  let asked = 0;
  const talk = attempt.dial(
    {
      reselectClientCert: true,
      // Nobody at first, and then somebody.
      clientCertCallback: (request, context) => {
        asked += request.phase === 'renegotiation' && request.attempt === 1 ? 1 : 0;
        return request.phase === 'handshake' ? null : answer(request, context);
      },
    },
    'TLSv1.2',
  );
  talk.socket.on('suspend', (suspension) => setImmediate(() => suspension.resume()));
  talk.say('renegotiate');
  attempt.mustBe(await talk.line(), identity.fingerprint);
  if (asked !== 1) throw new Wrong(`asked ${asked} times in the renegotiation`);
  await talk.end();
}

export const LATER = {
  'asked after the handshake': { weight: 2, run: ask },
  'asked in an upload': { weight: 1, run: askInUpload },
  'reset, asked after the handshake': { weight: 1, failsWith: RESET, run: resetAsked },
  renegotiation: { weight: 3, run: renegotiate },
} satisfies Kinds;
