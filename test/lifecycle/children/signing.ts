/** Signers of children: one that signs later, and one that says when it is asked and never answers. */
import { sign } from 'node:crypto';
import type { Signer } from '../../../lib/index';
import { credential } from './client';

/** Signs a little later. */
export const signs: Signer = {
  sign: (data) =>
    new Promise((resolve) => setImmediate(() => resolve(sign('sha256', data, credential.key)))),
};

/** Calls `asked` and keeps whoever asks waiting for ever. */
export function waits(asked: (signal: AbortSignal) => void): Signer {
  return {
    sign: (_data, _scheme, { signal }) => {
      asked(signal);
      return new Promise(() => {});
    },
  };
}
