/** Servers that reset the connection. */
import type { Attempt } from '../attempt';
import { pick } from '../random';
import { Wrong } from '../talk';
import { type Kinds, RESET } from './kind';

/** While the client waits for its own answer, which never comes. */
async function resetQuestion(attempt: Attempt): Promise<void> {
  const told: AbortSignal[] = [];
  const talk = attempt.dialTo(attempt.world.ports.resetsQuestion, {
    secureContext: attempt.world.contexts['TLSv1.3'],
    clientCertCallback: (_request, { signal }) => {
      told.push(signal);
      return new Promise(() => {});
    },
  });
  await talk.afterwards(() => {
    // On a busy machine the reset overtakes the question.
    if (told.some(({ aborted }) => !aborted)) {
      throw new Wrong('the callback was not told that it is over');
    }
  });
}

export const RESETS = {
  'reset in the handshake': {
    weight: 2,
    failsWith: RESET,
    run: (attempt) => {
      const { credential } = attempt.identity;
      return attempt.dialTo(attempt.world.ports.resetsHello, {
        secureContext: attempt.world.contexts[attempt.protocol],
        clientCertCallback: () => credential,
      }).closed;
    },
  },
  'reset, asked': { weight: 2, failsWith: RESET, run: resetQuestion },
  'reset in data': {
    weight: 2,
    failsWith: RESET,
    run: (attempt) => {
      const { credential } = attempt.identity;
      const talk = attempt.dial({ clientCertCallback: () => credential });
      talk.say(`reset ${pick(attempt.random, [1, 1_000, 50_000])}`);
      return talk.closed;
    },
  },
} satisfies Kinds;
