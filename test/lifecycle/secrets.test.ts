/** What is kept of connections, past and to come, is no plain text of keys, passphrases or sessions. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { patience } from '../support/slowness';
import { runChild } from './run-child';

test(
  'keys and passphrases are gone from the heap when their owner lets go of them',
  async () => {
    const { end, lines, errors } = await runChild('secrets-child', [], { timeout: 60_000 });
    expect({ end, errors }).toEqual({ end: 0, errors: '' });
    expect(JSON.parse(lines[0] ?? '')).toEqual({ whileHeld: [true, true], after: [false, false] });
  },
  patience(70_000),
);

/** Of the process's whole memory, and of the heap. */
test(
  'shared keys and sessions are gone from memory when their connections are closed and they are wiped',
  async () => {
    const psk = randomBytes(32);
    const ciphers = 'ECDHE-PSK-CHACHA20-POLY1305:TLS_AES_128_GCM_SHA256';
    const withKey = createServer({ ciphers, pskCallback: () => psk }, (socket) =>
      socket.on('error', () => {}).pipe(socket),
    );
    withKey.listen(0, '127.0.0.1');
    await once(withKey, 'listening');
    const withTickets = await startNodeServer({ identity: loadPki().server });
    const { port } = withKey.address() as AddressInfo;
    const masked = Buffer.from(psk.map((byte) => byte ^ 0xff)).toString('hex');
    const { end, lines, errors } = await runChild(
      'memory-child',
      [port, withTickets.port, masked],
      {
        flags: ['--expose-gc'],
        timeout: 60_000,
      },
    );
    withKey.close();
    await withTickets.close();
    expect({ end, errors }).toEqual({ end: 0, errors: '' });
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      // The shared key; sessions of TLS 1.2, and of TLS 1.3.
      whileHeld: [true, true, true],
      after: [false, false, false],
      // Before these a text that is held on to.
      inHeap: [true, false, false, false],
      closed: true,
    });
  },
  patience(70_000),
);
