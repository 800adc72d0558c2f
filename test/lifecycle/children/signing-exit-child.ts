/** Ends the process in one way while a signature is waited for. */
import { dial, signs, waits } from './signing';

const [way, port] = process.argv.slice(2);

function end(): void {
  console.log('signing');
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

// Right out of sign(), or later.
const signer =
  way === 'process.exit in sign()'
    ? { sign: () => process.exit(7) }
    : waits(() => setImmediate(end));
const socket = dial(Number(port), way === "a throw in 'secureConnect'" ? signs : signer);
process.on('exit', () => {
  // What happens to a socket this late must do no harm either.
  if (way === 'process.exit') socket.destroy();
});
if (way === "a throw in 'secureConnect'") {
  // After a late signature, which comes by a promise.
  process.on('uncaughtException', (error, origin) => {
    console.log(`${origin} ${error.message}`);
    socket.destroy();
  });
  socket.once('secureConnect', () => {
    throw new Error('on purpose');
  });
}
