/**
 * Runs in a worker that is terminated at some moment of many handshakes: whatever call of the
 * addon it is in then has to end without taking the process along.
 */
import { sign } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { connect, type Signer, SUSPEND } from '../../../lib/index';
import { loadPki } from '../../support/pki';
import type { PhasePorts } from '../phases';
import { to } from './client';

const { ports } = workerData as { readonly ports: PhasePorts };
const { cert, key } = loadPki().clients.ec256;
const signs: Signer = { sign: async (data) => sign('sha256', data, key) };
const answers = [
  () => null,
  () => new Promise<null>(() => {}),
  () => SUSPEND,
  async () => ({ cert, key }),
  () => ({ cert, key: signs }),
];

for (let i = 0; i < 40; i += 1) {
  const clientCertCallback = answers[i % answers.length] as (typeof answers)[number];
  const socket = connect({ ...to(ports.tls), clientCertCallback });
  socket.on('error', () => {});
  socket.on('suspend', () => {});
  socket.once('secureConnect', () => parentPort?.postMessage('secure'));
  socket.on('data', () => socket.write('x'.repeat(10_000)));
}
