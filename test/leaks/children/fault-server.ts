/**
 * A server that asks and goes wrong in ways that no real one can be talked into. It does what the first
 * line of its client says; prints its port, and ends with its standard input.
 */
import { constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ForgedPeer, ForgingServer } from '../../support/forging-server';
import { ALERT, alert, certificateRequest, HANDSHAKE, HELLO_REQUEST } from '../../support/records';

const text = (file: string) => readFileSync(join(process.env.TCC_TEST_PKI ?? '', file), 'utf8');

const FAULTS: Readonly<Record<string, (peer: ForgedPeer) => void>> = {
  close: (peer) => {
    peer.inject(ALERT, alert(0));
    peer.fin();
  },
  fin: (peer) => peer.fin(),
  reset: (peer) => peer.reset(),
  alert: (peer) => {
    peer.inject(ALERT, alert(48));
    peer.fin();
  },
  again: askAgain,
  'again-fin': (peer) => {
    askAgain(peer);
    peer.fin();
  },
  stall: () => {},
};

async function ask(peer: ForgedPeer): Promise<void> {
  if (peer.socket.getProtocol() === 'TLSv1.2') await peer.renegotiate();
  else peer.inject(HANDSHAKE, certificateRequest(Buffer.from('first')));
}

function askAgain(peer: ForgedPeer): void {
  const is12 = peer.socket.getProtocol() === 'TLSv1.2';
  peer.inject(HANDSHAKE, is12 ? HELLO_REQUEST : certificateRequest(Buffer.from('second')));
}

async function main(): Promise<void> {
  const server = await ForgingServer.start({
    identity: { cert: text('server.crt'), key: text('server.key') },
    ca: [text('client-ca-a.crt')],
    // A resumed session asks nothing.
    secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
    onPeer: (peer) =>
      peer.socket.once('data', async (line: Buffer) => {
        const fault = FAULTS[String(line).trim()];
        if (fault === undefined) throw new Error(`unknown command ${line}`);
        await ask(peer);
        fault(peer);
      }),
  });
  console.log(`PORT ${server.port}`);
  process.stdin.resume().on('end', () => process.exit());
}

void main();
