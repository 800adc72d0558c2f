/** `<port>`: sends a quarter of a gigabyte through a stream, and says how often V8 collected its young generation. */
import { once } from 'node:events';
import { connect } from '../../../lib/connect';
import { countScavenges } from './collections';

const PIECE = Buffer.alloc(64 * 1024);
const PIECES = 4096;

async function main(): Promise<void> {
  const port = Number(process.argv[2]);
  const socket = connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    transport: 'stream',
  });
  await once(socket, 'secureConnect');
  const counted = countScavenges();
  for (let i = 0; i < PIECES; i += 1) {
    if (!socket.write(PIECE)) await once(socket, 'drain');
  }
  const scavenges = await counted();
  socket.destroy();
  console.log(JSON.stringify({ scavenges }));
}

void main();
