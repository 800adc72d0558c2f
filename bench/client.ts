/** A client's process. It measures one kind of connection, so that no other shares its heap or JIT. */
import { measureCrowd } from './clients/crowd';
import { measureHandshakes } from './clients/handshakes';
import { measureLatency } from './clients/latency';
import { measureHold } from './clients/memory';
import { measureRequests } from './clients/requests';
import { measureResumptions } from './clients/resumptions';
import { measureStall } from './clients/stalls';
import { measureThroughput } from './clients/throughput';
import { measureToken } from './clients/tokens';
import { measureTransfer } from './clients/transfers';
import { measureWeb } from './clients/web';
import type { Setup, Task } from './messages';

function measure(setup: Setup, task: Task): Promise<unknown> {
  switch (task.task) {
    case 'handshakes':
      return measureHandshakes(setup, task);
    case 'resumptions':
      return measureResumptions(setup, task);
    case 'crowd':
      return measureCrowd(setup, task);
    case 'stall':
      return measureStall(setup, task);
    case 'token':
      return measureToken(setup, task);
    case 'hold':
      return measureHold(setup, task);
    case 'transfer':
      return measureTransfer(setup, task);
    case 'throughput':
      return measureThroughput(setup, task);
    case 'requests':
      return measureRequests(setup, task);
    case 'web':
      return measureWeb(setup, task);
    case 'latency':
      return measureLatency(setup, task);
  }
}

process.once('message', (setup: Setup) => {
  process.on('message', async (task: Task) => {
    try {
      process.send?.({ sample: await measure(setup, task) });
    } catch (error) {
      process.send?.({ error: String(error) });
    }
  });
});
process.once('disconnect', () => process.exit());
