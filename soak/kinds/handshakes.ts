/** Handshakes that succeed, by how their question is answered. */
import {
  type ConnectionOptions,
  Credential,
  createSecureContext,
  SUSPEND,
  type Suspension,
} from '../../lib/index';
import type { Attempt } from '../attempt';
import { NOBODY } from '../messages';
import { between } from '../random';
import { Wrong } from '../talk';
import { type Kinds, pause, turn } from './kind';

/** Has the server say whom it sees. */
async function meet(
  attempt: Attempt,
  options: ConnectionOptions,
  expected = attempt.identity.fingerprint,
): Promise<void> {
  const talk = attempt.dial(options);
  talk.say('who');
  attempt.mustBe(await talk.line(), expected);
  await talk.end();
}

/** Suspended with a `Suspension`, which is used one turn or some ms later. */
async function meetSuspended(
  attempt: Attempt,
  options: ConnectionOptions,
  use: (suspension: Suspension) => void,
): Promise<void> {
  const talk = attempt.dial(options);
  const delay = between(attempt.random, 0, 5);
  talk.socket.on('suspend', (suspension) => {
    if (delay === 0) setImmediate(use, suspension);
    else setTimeout(use, delay, suspension);
  });
  talk.say('who');
  attempt.mustBe(await talk.line());
  await talk.end();
}

async function resume(attempt: Attempt): Promise<void> {
  const { identity, protocol } = attempt;
  const { credential, fingerprint, sessions } = identity;
  const offered = sessions.get(protocol);
  const session = offered && performance.now() - offered.since < SESSION_LIFE ? offered : undefined;
  const talk = attempt.dial({
    session: session?.bytes,
    sessionCredential: credential,
    clientCertCallback: () => credential,
  });
  talk.socket.on('session', (bytes: Buffer) => {
    sessions.set(protocol, { bytes, since: performance.now() });
  });
  talk.say('who');
  attempt.mustBe(await talk.line(), fingerprint);
  if (session !== undefined && !talk.socket.isSessionReused()) {
    throw new Wrong('the session was not resumed');
  }
  await talk.end();
}

/** In ms; the servers forget them after 300 s. */
const SESSION_LIFE = 200_000;

export const HANDSHAKES = {
  'at once': {
    weight: 12,
    run: (attempt) => {
      const { credential } = attempt.identity;
      return meet(attempt, { clientCertCallback: () => credential });
    },
  },
  /** Parsed once, and found again by what it holds. */
  'at once, as PEM': {
    weight: 3,
    run: (attempt) => {
      const { parts } = attempt.identity;
      return meet(attempt, { clientCertCallback: () => ({ ...parts }) });
    },
  },
  'set in advance': {
    weight: 3,
    run: (attempt) => {
      const { cert, key, chain = '' } = attempt.identity.parts;
      const { ca, signal } = attempt.world;
      const { protocol: maxVersion } = attempt;
      const secureContext = undefined;
      return meet(attempt, { secureContext, ca, maxVersion, cert: cert + chain, key, signal });
    },
  },
  /** All that others share is its own. */
  'of its own making': {
    weight: 1,
    run: (attempt) => {
      const { ca } = attempt.world;
      const credential = new Credential(attempt.identity.parts);
      const secureContext = createSecureContext({ ca, maxVersion: attempt.protocol });
      return meet(attempt, { secureContext, clientCertCallback: () => credential });
    },
  },
  'after a turn': {
    weight: 10,
    run: (attempt) => {
      const { credential } = attempt.identity;
      return meet(attempt, { clientCertCallback: () => turn().then(() => credential) });
    },
  },
  'after some ms': {
    weight: 6,
    run: (attempt) => {
      const { credential } = attempt.identity;
      const delay = between(attempt.random, 1, 20);
      return meet(attempt, { clientCertCallback: () => pause(delay).then(() => credential) });
    },
  },
  'suspended, answered': {
    weight: 4,
    run: (attempt) => {
      const { credential } = attempt.identity;
      return meetSuspended(attempt, { clientCertCallback: () => SUSPEND }, (suspension) =>
        suspension.resume(credential),
      );
    },
  },
  'suspended, asked again': {
    weight: 4,
    run: (attempt) => {
      const { credential } = attempt.identity;
      return meetSuspended(
        attempt,
        { clientCertCallback: (request) => (request.attempt < 3 ? SUSPEND : credential) },
        (suspension) => suspension.resume(),
      );
    },
  },
  declined: {
    weight: 5,
    run: (attempt) => {
      const late = attempt.random() < 0.5;
      return meet(
        attempt,
        { clientCertCallback: () => (late ? turn().then(() => null) : null) },
        NOBODY,
      );
    },
  },
  "a signer's key": {
    weight: 6,
    run: (attempt) => {
      const { signed } = attempt.identity;
      return meet(attempt, { clientCertCallback: () => signed });
    },
  },
  resumed: { weight: 40, run: resume },
} satisfies Kinds;
