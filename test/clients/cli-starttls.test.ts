/** `probe` of servers that begin in plaintext: what each protocol's real server asks. */
import type { ProbeReport } from '../../lib/cli/probe/report';
import { type Cli, installCli } from '../support/cli';
import { startDovecot } from '../support/dovecot';
import { startExim } from '../support/exim';
import { startMariadb } from '../support/mariadb';
import { loadPki } from '../support/pki';
import { startPostgres } from '../support/postgres';
import type { ServerProcess } from '../support/server-process';
import { startSlapd } from '../support/slapd';

const pki = loadPki();

let cli: Cli;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

const BOTH = [pki.clientCaA.subject, pki.clientCaB.subject];

const SERVERS: readonly [string, () => Promise<ServerProcess>, readonly string[]][] = [
  ['postgres', () => startPostgres([]), BOTH],
  ['smtp', () => startExim().then(({ server }) => server), BOTH],
  ['ldap', () => startSlapd().then(({ server }) => server), BOTH],
  ['imap', startDovecot, BOTH],
  // It names none.
  ['mysql', () => startMariadb([]), []],
];

describe.each(SERVERS)('--starttls %s', (protocol, start, authorities) => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await start();
  }, 30_000);
  afterAll(() => server.stop());

  const probe = (...args: string[]) =>
    cli.run(['probe', ...args, '--json', '--ca', pki.serverCa.certPath]);

  test('tells what the server asks, and whom it accepts', async () => {
    const { end, stdout } = await probe(`localhost:${server.port}`, '--starttls', protocol);
    expect(end).toBe(0);
    const { target, server: facts, asked, requests, versions } = JSON.parse(stdout) as ProbeReport;
    expect({ asked, starttls: target.starttls }).toEqual({ asked: true, starttls: protocol });
    expect(facts).toMatchObject({ trusted: true, certificates: [{ subject: pki.server.subject }] });
    expect(requests[0]?.certificateAuthorities.map(({ name }) => name).sort()).toEqual(authorities);
    expect(versions).toMatchObject([{ accepted: true }, { accepted: true }]);
  });

  test('the scheme of a URL says the same', async () => {
    const { end, stdout } = await probe(`${protocol}://someone:secret@localhost:${server.port}/x`);
    expect(end).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ asked: true, target: { starttls: protocol } });
    expect(stdout).not.toContain('secret');
  });

  test('without it the fault names the way out', async () => {
    const { end, stdout } = await probe(`localhost:${server.port}`, '--timeout', '1');
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ exitCode: end, message: expect.stringContaining('--starttls') });
    expect([3, 4]).toContain(end);
  });
});

test('a server that is told the wrong protocol', async () => {
  const server = await startDovecot();
  const { end, stderr } = await cli.run([
    'probe',
    `localhost:${server.port}`,
    '--starttls',
    'smtp',
  ]);
  await server.stop();
  expect(end).toBe(4);
  expect(stderr).toMatch(/Check that the protocol after --starttls is the server's/);
});
