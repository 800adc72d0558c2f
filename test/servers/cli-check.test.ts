/** `tls-client-cert check --try` against web servers: one that refuses by status, one that asks for a path alone. */
import { startApache } from '../support/apache';
import { type Cli, installCli } from '../support/cli';
import { PROTOCOLS } from '../support/client';
import { type Folder, makeFolder } from '../support/identity-files';
import { startNginx } from '../support/nginx';
import { loadPki } from '../support/pki';
import { type ServerProcess, withServer } from '../support/server-process';

const pki = loadPki();
const { clients, clientB, deepClient } = pki;

let cli: Cli;
let folder: Folder;

beforeAll(() => {
  cli = installCli();
  folder = makeFolder({
    'alone/deep.pem': deepClient.cert + deepClient.key,
    'b.pem': clientB.cert + clientB.key,
    'deep.pem': deepClient.cert + deepClient.key + deepClient.chain,
    'me.pem': clients.ec256.cert + clients.ec256.key,
  });
});
afterAll(() => {
  cli.remove();
  folder.remove();
});

/** What came of each identity, by its place. */
async function tried({ port }: ServerProcess, path: string, ...args: string[]) {
  const identities = ['me.pem', 'b.pem', 'deep.pem', 'alone/deep.pem'].flatMap((name) => [
    '-i',
    name,
  ]);
  const { end, stdout } = await cli.run(
    [
      ...['check', `https://localhost:${port}${path}`, '--ca', pki.serverCa.certPath],
      ...[...identities, '--try', '--all', '--json', ...args],
    ],
    { cwd: folder.path },
  );
  const { asked, identities: records } = JSON.parse(stdout);
  const results = records.map(
    ({ identity, tried }: { identity: { where: string }; tried: Record<string, unknown> }) =>
      [identity.where, tried.outcome, tried.httpStatus, tried.alert] as const,
  );
  return { end, asked, results };
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('nginx says by its status what it thinks of a certificate', async () => {
    await withServer(startNginx({ protocol, explain: true }), async (server) => {
      const { end, asked, results } = await tried(server, '/');
      expect(end).toBe(0);
      expect(asked).toMatchObject({ phase: 'handshake', authorities: [pki.clientCaA.subject] });
      expect(results).toEqual([
        ['me.pem', 'accepted', 200, null],
        ['b.pem', 'denied', 400, null],
        ['deep.pem', 'accepted', 200, null],
        ['alone/deep.pem', 'denied', 400, null],
      ]);
    });
  });

  test('Apache asks when it is asked for a path', async () => {
    await withServer(startApache({ protocol }), async (server) => {
      const { end, asked, results } = await tried(server, '/private/x');
      expect(end).toBe(0);
      const phase = protocol === 'TLSv1.3' ? 'post-handshake' : 'renegotiation';
      expect(asked).toMatchObject({ phase, authorities: [pki.clientCaA.subject] });
      expect(results).toEqual([
        ['me.pem', 'accepted', 200, null],
        ['b.pem', 'refused', null, expect.any(String)],
        ['deep.pem', 'accepted', 200, null],
        ['alone/deep.pem', 'refused', null, expect.any(String)],
      ]);
    });
  });
});
