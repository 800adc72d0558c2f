/** What already holds of TLS 1.2 renegotiation, which is otherwise later work. */
import { once } from 'node:events';
import { Credential } from '../../lib/index';
import { deferred, dial, secured, within, withSServer } from '../support/client';
import { loadPki } from '../support/pki';

const pki = loadPki();
const credential = new Credential(pki.clients.ec256);
const server12 = {
  protocol: 'TLSv1.2',
  requestCert: 'no',
  clientCa: pki.clientCaA.certPath,
  args: ['-no_resumption_on_reneg'],
} as const;

test.each(['late', 'after end()'])(
  'a request in the middle of a connection, answered %s',
  async (when) => {
    await withSServer(server12, async (server) => {
      const asked = deferred<string>();
      const answer = deferred<Credential>();
      const socket = dial(server, {
        clientCertCallback: (request) => {
          asked.resolve(request.phase);
          return answer.promise;
        },
      });
      await secured(socket);
      expect(socket.clientAuth.status).toBe('not-requested');
      await server.sawClient();
      server.type('R');
      expect(await within('question', asked.promise)).toBe('renegotiation');
      expect(socket.clientAuth.status).toBe('pending');
      const seen = server.output.length;
      if (when === 'after end()') {
        const closed = once(socket, 'close');
        socket.resume().end();
        answer.resolve(credential);
        expect((await within('close', closed))[0]).toBe(false);
        await server.waitFor(/close_notify/, 5_000, seen);
      } else {
        answer.resolve(credential);
        socket.write('still here\n');
        await server.waitFor('still here', 5_000, seen);
        socket.destroy();
      }
      expect((await server.clientChain())[0]?.subject).toContain('ec256');
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential });
    });
  },
);
