/** Connections, in one phase of each of which a system call fails: what their user hears. */
import net from 'node:net';
import { connect, type TLSSocket } from '../../../lib/index';
import { socketDescriptors } from '../../support/kernel-sockets';
import { credential, to } from './client';

const [port = '', size = '', cases = '[]'] = process.argv.slice(2);
const total = Number(size);

async function run(phase: string, fault: string, kind: string): Promise<void> {
  const base = socketDescriptors().length;
  const now = (moment: string) => {
    if (moment === phase) process.env.TCC_FAULT = fault;
  };
  let raw: net.Socket | undefined;
  if (kind === 'passed') {
    raw = net.connect(Number(port), '127.0.0.1');
    raw.on('error', () => {});
    await new Promise((resolve) => raw?.once('connect', resolve));
  }
  now('start');
  const socket: TLSSocket = connect({
    ...to(Number(port)),
    ...(raw !== undefined && { socket: raw }),
    clientCertCallback: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      now('asked');
      return credential;
    },
  });
  const events: string[] = [];
  const callbacks: string[] = [];
  let error: NodeJS.ErrnoException | undefined;
  let received = 0;
  let intact = true;
  socket.on('error', (failure) => {
    error = failure;
    events.push('error');
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      events.push('close');
      resolve();
    });
  });
  socket.on('data', (chunk: Buffer) => {
    // Byte n of what is echoed is n modulo 251.
    for (let i = 0; i < chunk.length; i += 997) {
      if (chunk[i] !== (received + i) % 251) intact = false;
    }
    received += chunk.length;
    if (received === total) {
      now('ending');
      socket.end();
    }
  });
  socket.on('end', () => events.push('end'));
  socket.once('secureConnect', () => {
    now('open');
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 1000);
    const address = [typeof socket.remotePort, typeof socket.localPort].join(' ');
    callbacks.push(address);
    const data = Buffer.alloc(total);
    for (let i = 0; i < total; i += 1) data[i] = i % 251;
    socket.write(data, (failure) => {
      callbacks.push(failure ? `failed ${(failure as NodeJS.ErrnoException).code}` : 'written');
    });
  });
  await closed;
  delete process.env.TCC_FAULT;
  raw?.destroy();
  // A closed handle's descriptor goes with the turn.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { code, syscall, errno } = error ?? {};
  console.log(
    JSON.stringify({
      transport: socket.transport,
      events,
      callbacks,
      error: error === undefined ? null : { code, syscall, errno },
      received,
      intact,
      left: socketDescriptors().length - base,
    }),
  );
}

async function main(): Promise<void> {
  for (const [phase, fault, kind] of JSON.parse(cases)) await run(phase, fault, kind);
}

void main();
