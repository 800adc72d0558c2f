/** Run by support-s-server.test.ts: starts a server, prints its process number, and waits to be killed. */
import { loadPki } from './pki';
import { startSServer } from './s-server';

async function main(): Promise<void> {
  const server = await startSServer({ identity: loadPki().server });
  console.log(server.pid);
}

void main();
