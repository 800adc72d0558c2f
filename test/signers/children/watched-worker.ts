/** The worker thread of a PKCS#11 module, and a look at the PIN of each operation before and after it. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { left } from './left';

const { pins } = workerData as { pins: MessagePort };

/** A PIN as it came, and what is left of it when the reply is on its way. */
export interface SeenPin {
  readonly came: string;
  readonly left: string;
}

let came = '';
parentPort?.on('message', ({ takes: { pin } }) => {
  came = pin instanceof Uint8Array ? Buffer.from(pin).toString('latin1') : '';
});
// Listeners are called in turn, with the same message.
require('../../../lib/signers/pkcs11/worker');
parentPort?.on('message', ({ takes: { pin } }) => {
  if (!(pin instanceof Uint8Array)) return;
  pins.postMessage({ came, left: left(pin) } satisfies SeenPin);
});
