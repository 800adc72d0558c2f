/** Ends the process in one way while a connection is in one phase. */
import { connect } from '../../../lib/index';
import { to } from './client';

const [phase, way, port] = process.argv.slice(2);

function end(): void {
  console.log(phase);
  switch (way) {
    case 'process.exit':
      process.exit(7);
      break;
    case 'an uncaught exception':
      throw new Error('on purpose');
    case 'SIGTERM':
      process.kill(process.pid, 'SIGTERM');
      break;
    case 'its natural end':
      socket.unref();
      break;
  }
}

const socket = connect({
  ...to(Number(port)),
  clientCertCallback:
    phase === 'suspended' || phase === 'asked later'
      ? () => {
          setImmediate(end);
          return new Promise(() => {});
        }
      : null,
});
process.on('exit', () => {
  // What happens to a socket this late must do no harm either.
  if (way === 'process.exit') socket.destroy();
});
if (phase === 'asked later') socket.write('ask\n');
if (phase === 'connecting') end();
if (phase === 'handshaking') socket.once('connect', () => setImmediate(end));
if (phase === 'open') socket.once('secureConnect', end);
