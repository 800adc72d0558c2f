/** Throws in the callback of a write that destroy() cuts off, and says what comes of the connection. */
import net from 'node:net';
import tls from 'node:tls';
import { type ConnectionOptions, connect } from '../../../lib/index';
import { to } from './client';

const [how = '', port] = process.argv.slice(2);
const events: string[] = [];

process.on('uncaughtException', (error) => console.log(error.message));

const below = net.connect(Number(port), '127.0.0.1', () => {
  const options = { ...to(Number(port)), socket: below };
  const socket =
    how === 'node'
      ? tls.connect(options as tls.ConnectionOptions)
      : connect({ ...options, transport: how } as ConnectionOptions);
  for (const name of ['error', 'close'] as const) socket.on(name, () => events.push(name));
  socket.once('secureConnect', () => {
    // More than the kernel takes of what nobody reads.
    socket.write(Buffer.alloc(16 * 1024 * 1024), () => {
      throw new Error('from the callback');
    });
    setImmediate(() => {
      socket.destroy();
      events.push('destroy() returned');
    });
  });
});

process.once('exit', () => {
  console.log(`${events.join(', ')}, the stream below ${below.destroyed ? 'destroyed' : 'open'}`);
});
