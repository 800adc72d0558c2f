/** The signer of children. */
import { sign } from 'node:crypto';
import type { Signer } from '../../../lib/index';
import { credential } from './client';

/** Signs a little later. */
export const signs: Signer = {
  sign: (data) =>
    new Promise((resolve) => setImmediate(() => resolve(sign('sha256', data, credential.key)))),
};
