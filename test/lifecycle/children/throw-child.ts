/** Throws in one listener or callback, and says what came of it. */
import { connect, SUSPEND, type Suspension } from '../../../lib/index';
import { credential, to } from './client';
import { signs } from './signing';

const [place = '', port, how] = process.argv.slice(2);
const answer = how === 'signed' ? { cert: credential.cert, key: signs } : credential;
const events: string[] = [];

process.on('uncaughtException', (error, origin) => {
  console.log(`${origin} ${error.message}`);
});

let read = '';
function heard(text: Buffer | string): void {
  read += text;
  if (read === 'hello') socket.end();
}

function boom(): never {
  throw new Error(`from ${place}`);
}

// Where it is given, nothing goes through the stream.
const onread = {
  buffer: place === 'onread.buffer' ? boom : Buffer.alloc(16),
  callback: (count: number, buffer: Uint8Array) => {
    heard(Buffer.from(buffer.subarray(0, count)).toString());
    return place === 'onread.callback' ? boom() : true;
  },
};
const socket = connect({
  ...to(Number(port)),
  ...(place.startsWith('onread') ? { onread } : {}),
  requestOCSP: true,
  clientCertCallback: () => {
    if (place === "'suspend'") return SUSPEND;
    // From here on what follows runs on a promise's account.
    return new Promise((resolve) => setImmediate(resolve, answer));
  },
});
for (const name of ['secureConnect', 'end', 'error', 'close']) {
  socket.on(name, () => events.push(name));
}
socket.once('suspend', (suspension: Suspension) => {
  setTimeout(() => suspension.resume(credential), 20);
});

// The connection goes on where nothing closed it: an echo comes back, and it ends.
if (how !== 'unread') socket.on('data', heard);
if (place === "a write's callback") {
  socket.write('hello', boom);
} else {
  socket.write('hello');
  if (place === "'error'") socket.once('secureConnect', () => socket.destroy(new Error('mine')));
  const name = place.replaceAll("'", '');
  if (how === 'each') socket.on(name, boom);
  else socket.once(name, boom);
}
process.once('exit', () => console.log(events.join(' ')));
