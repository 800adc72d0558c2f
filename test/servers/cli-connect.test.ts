/** `tls-client-cert connect --request` to an Apache that asks for a certificate where a path demands it. */
import { startApache } from '../support/apache';
import { type Cli, installCli, withoutProgress } from '../support/cli';
import { folderOf, withCliAt } from '../support/cli-terminal';
import { loadPki } from '../support/pki';
import { withServer } from '../support/server-process';

const pki = loadPki();
const { clients } = pki;
const mine = ['-i', clients.ec256.certPath, '-i', clients.ec256.keyPath];
let cli: Cli;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', (protocol) => {
  test('a protected path, chosen at the terminal', () =>
    withServer(startApache({ protocol }), (server) => {
      const { ec256, rsa } = clients;
      const files = [ec256, rsa].flatMap(({ certPath, keyPath }) => [certPath, keyPath]);
      const folder = folderOf(cli, `identities-${protocol}`, files);
      const args = ['connect', `https://localhost:${server.port}/private`, '-i', folder];
      return withCliAt(cli, args, async (terminal) => {
        await terminal.shows(/Certificate: not asked for\n[\s\S]*❯ client ec256/);
        await terminal.press('Down');
        await terminal.shows('❯ client rsa');
        await terminal.press('Enter');
        await terminal.shows(/Certificate sent: CN=client rsa,[\s\S]*HTTP status: 200 OK/);
        await terminal.shows(/subject=CN=client rsa,[\s\S]*verify=SUCCESS/);
        expect(await terminal.ended()).toEqual({ status: 0, restored: true, cursorVisible: true });
      });
    }));

  test('a protected path without asking anybody', () =>
    withServer(startApache({ protocol }), async (server) => {
      const trust = ['--ca', pki.serverCa.certPath];
      const at = ['connect', `localhost:${server.port}`, ...trust, '--request', '/private'];
      const { end, stdout, stderr } = await cli.run([...at, ...mine, '--auto', '-d', 'some data']);
      expect(end).toBe(0);
      expect(stdout).toMatch(/^subject=CN=client ec256,.*\nverify=SUCCESS\n/);
      expect(withoutProgress(stderr)).toMatch(
        /Certificate: not asked for\nCertificate sent: CN=client ec256,[^\n]+\nHTTP status: 200 OK\n$/,
      );
      const refused = await cli.run([...at, '--decline']);
      expect(refused.end).toBe(6);
      expect(refused.stderr).toMatch(
        /\ntls-client-cert: localhost:\d+ refused: it demands a client certificate and got none\.[^\n]+\n$/,
      );
    }));
});
