/** Handshakes that the client gives up over its own question. */
import type { ClientCertCallback, ConnectionOptions } from '../../lib/index';
import { Credential, SUSPEND } from '../../lib/index';
import type { Attempt } from '../attempt';
import { between } from '../random';
import { type Talk, Wrong } from '../talk';
import { type Kinds, turn } from './kind';

/** Asks, waits for ever, and has `giveUp` called a turn later; the callback has to be told. */
async function giveUp(
  attempt: Attempt,
  how: (talk: Talk) => void,
  options: ConnectionOptions = {},
): Promise<void> {
  const suspends = attempt.random() < 0.5;
  let told: AbortSignal | undefined;
  const clientCertCallback: ClientCertCallback = (_request, { signal }) => {
    told = signal;
    setImmediate(() => how(talk));
    return suspends ? SUSPEND : new Promise(() => {});
  };
  const talk = attempt.dial({ ...options, clientCertCallback });
  talk.socket.on('suspend', () => {});
  await talk.afterwards(() => {
    if (told === undefined) throw new Wrong('it ended before it was asked');
    if (!told.aborted) throw new Wrong('the callback was not told that it is over');
  });
}

/** Gone while its signature is waited for. */
async function leaveSigner(attempt: Attempt): Promise<void> {
  let told: AbortSignal | undefined;
  const { cert } = attempt.identity.parts;
  const credential = new Credential({
    cert,
    key: {
      sign: (_data, _scheme, { signal }) => {
        told = signal;
        setImmediate(() => talk.socket.destroy());
        return new Promise(() => {});
      },
    },
  });
  const talk = attempt.dial({ clientCertCallback: () => credential });
  await talk.afterwards(() => {
    if (told === undefined) throw new Wrong('the signer was not asked');
    if (!told.aborted) throw new Wrong('the signer was not told that it is over');
  });
}

export const ABORTS = {
  'destroyed, asked': {
    weight: 4,
    run: (attempt) => giveUp(attempt, ({ socket }) => socket.destroy()),
  },
  'aborted by signal, asked': {
    weight: 3,
    failsWith: ['ABORT_ERR'],
    run: (attempt) => {
      const caller = new AbortController();
      return giveUp(attempt, () => caller.abort(), { signal: caller.signal });
    },
  },
  'deadline passed, asked': {
    weight: 3,
    failsWith: ['ERR_CLIENT_CERT_TIMEOUT'],
    run: (attempt) =>
      giveUp(attempt, () => {}, { clientCertTimeout: between(attempt.random, 1, 20) }),
  },
  'callback throws': {
    weight: 1,
    failsWith: ['ERR_CLIENT_CERT_CALLBACK'],
    run: (attempt) => {
      const late = attempt.random() < 0.5;
      const clientCertCallback = () => {
        const error = new Error('no card');
        if (late) return turn().then(() => Promise.reject(error));
        throw error;
      };
      return attempt.dial({ clientCertCallback }).closed;
    },
  },
  'destroyed, signing': { weight: 2, run: leaveSigner },
} satisfies Kinds;
