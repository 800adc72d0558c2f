/** Handshakes that wait for slow signatures, and whether the event loop waits with them. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { connect, createSecureContext } from '../../lib/index';
import type { Setup, StallSample, StallTask } from '../messages';
import { ADDRESS, settled, signedBy } from './sockets';

/** Of the event-loop monitor, in milliseconds. */
const RESOLUTION = 1;

export async function measureStall(
  setup: Setup,
  { kind, count, signature }: StallTask,
): Promise<StallSample> {
  const never = new Int32Array(new SharedArrayBuffer(4));
  const credential = signedBy(setup, (signNow) => {
    if (kind === 'waits') {
      return new Promise((resolve) => setTimeout(() => resolve(signNow()), signature));
    }
    Atomics.wait(never, 0, 0, signature);
    return signNow();
  });
  const secureContext = createSecureContext({
    ca: setup.keys.serverCa,
    clientCertCallback: () => credential,
  });
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION });
  monitor.enable();
  const started = process.hrtime.bigint();
  const sockets = await Promise.all(
    Array.from({ length: count }, () =>
      settled(connect({ ...ADDRESS, port: setup.port, secureContext }), 'secureConnect'),
    ),
  );
  const wall = Number(process.hrtime.bigint() - started) / 1e6;
  monitor.disable();
  await Promise.all(
    sockets.map((socket) => {
      const closed = settled(socket, 'close');
      socket.destroy();
      return closed;
    }),
  );
  return { longest: monitor.max / 1e6 - RESOLUTION, wall };
}
