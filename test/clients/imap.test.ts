/** IMAP by hand, without a driver, and Dovecot: STARTTLS, and a login by certificate. */
import net from 'node:net';
import { connect } from '../../lib/index';
import { upgrade } from '../../lib/starttls';
import { hangUp, later, secured } from '../support/client';
import { startDovecot } from '../support/dovecot';
import { loadPki } from '../support/pki';
import type { ServerProcess } from '../support/server-process';

const pki = loadPki();

let server: ServerProcess;
beforeAll(async () => {
  server = await startDovecot();
}, 20_000);
afterAll(() => server.stop());

test('the server says whom it lets in', async () => {
  let greeting = '';
  const plain = await upgrade('imap', net.connect(server.port, '127.0.0.1'), {
    onGreeting: (bytes) => {
      greeting = String(bytes);
    },
  });
  expect(greeting).toMatch(/^\* OK .*\r\n$/);
  const authorities: string[] = [];
  const socket = connect({
    socket: plain,
    host: 'localhost',
    ca: pki.serverCa.cert,
    clientCertCallback: (request) => {
      authorities.push(...request.certificateAuthorities.map(String));
      return later(pki.clients.ec256, 30);
    },
  });
  await secured(socket);
  expect(authorities).toEqual([pki.clientCaA.subject, pki.clientCaB.subject]);
  socket.write('a1 AUTHENTICATE EXTERNAL =\r\n');
  await server.waitFor(/Login: user=<client ec256>, method=EXTERNAL.*TLS/);
  await hangUp(socket);
});
