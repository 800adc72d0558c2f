/** Jest's global teardown: removes the PKI that the global setup made. */
import { OWNED_PKI_VARIABLE } from './pki';
import { removePki } from './pki-build';

export = async function globalTeardown(): Promise<void> {
  const dir = process.env[OWNED_PKI_VARIABLE];
  if (dir !== undefined) await removePki(dir);
};
