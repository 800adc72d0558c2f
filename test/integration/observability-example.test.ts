/** examples/observability.ts, run as its first lines say. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withSServer } from '../support/client';
import { loadPki } from '../support/pki';

const pki = loadPki();

test('it tells of each connection under its piece of work', async () => {
  await withSServer({ clientCa: pki.clientCaA.certPath, protocol: 'TLSv1.3' }, async (server) => {
    const { certPath, keyPath, subject } = pki.clients.ec256;
    const example = ['--require', './tools/register-typescript.cjs', 'examples/observability.ts'];
    const args = ['localhost', String(server.port), pki.serverCa.certPath, certPath, keyPath];
    const { stdout } = await promisify(execFile)(process.execPath, [...example, ...args], {
      cwd: join(__dirname, '../..'),
      timeout: 10_000,
    });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const told = (work: string, answer: object, clientAuth: string) => [
      {
        work,
        event: 'request',
        server: 'localhost',
        phase: 'handshake',
        authorities: [pki.clientCaA.subject],
      },
      { work, event: 'note', text: 'looking for a certificate' },
      { work, event: 'suspend', waitingFor: 'promise' },
      { work, event: 'answer', ...answer, milliseconds: expect.any(Number) },
      {
        work,
        event: 'handshake',
        hostname: 'localhost',
        protocol: 'TLSv1.3',
        resumed: false,
        clientAuth,
      },
    ];
    expect(lines).toEqual([
      ...told('invoice 17', { answer: 'credential', subject }, 'sent'),
      ...told('audit', { answer: 'declined' }, 'declined'),
    ]);
    expect((await server.sawClient()).subject).toBe(subject);
  });
});
