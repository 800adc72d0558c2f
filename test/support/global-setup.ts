/**
 * Jest's global setup: one PKI per run, its folder handed to the workers by the environment.
 * With `TCC_TEST_PKI` set beforehand that folder is used (filled if need be) and kept.
 */
import { OWNED_PKI_VARIABLE, PKI_VARIABLE } from './pki';
import { createPki } from './pki-build';

// `export =`, because jest wants the function to be the module itself.
export = async function globalSetup(): Promise<void> {
  const given = process.env[PKI_VARIABLE];
  const { dir } = await createPki(given);
  process.env[PKI_VARIABLE] = dir;
  if (given === undefined) process.env[OWNED_PKI_VARIABLE] = dir;
};
