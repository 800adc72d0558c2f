/** Runs in a worker: begins what cannot end, and says so. */
import { parentPort, workerData } from 'node:worker_threads';
import { Credential, type SignatureScheme, type Signer } from '../../../lib/index';
import type { StoreTask } from './store-child';

const task = workerData as StoreTask & { readonly phase: 'opening' | 'signing' };
const { uri, cert, pid, phase } = task;

const open = () => Credential.fromStore(uri, { providers: [task.module], cert });

async function main(): Promise<void> {
  if (phase === 'opening') {
    process.kill(pid, 'SIGSTOP');
    void open();
  } else {
    const signer = Credential.signerOf(await open()) as Signer;
    process.kill(pid, 'SIGSTOP');
    const { signal } = new AbortController();
    void signer.sign(Buffer.from('data'), signer.schemes?.[0] as SignatureScheme, { signal });
  }
  setImmediate(() => parentPort?.postMessage(phase));
}

void main();
