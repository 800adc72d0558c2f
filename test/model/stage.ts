/** The peers of all scenarios. */
import { NodePeer } from './node-peer';
import type { Stage } from './play';
import { PythonPeer } from './python-peer';

export async function startStage(): Promise<Stage> {
  const [asking, silent] = await Promise.all([PythonPeer.start(true), PythonPeer.start(false)]);
  return {
    peerOf: async ({ setup: { peer, asksFirst } }) => {
      if (peer === 'node') return NodePeer.start(asksFirst);
      return asksFirst ? asking : silent;
    },
  };
}
