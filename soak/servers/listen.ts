import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/** Has the server listen on a free port, which it resolves with. */
export async function portOf(server: Server): Promise<number> {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
