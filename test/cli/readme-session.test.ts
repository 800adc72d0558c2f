/** The session that the README shows is what the program prints. `TCC_WRITE_SESSION=1` writes it anew. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cli, installCli } from '../support/cli';
import { folderOf } from '../support/cli-terminal';
import { startHttpsServer } from '../support/https-server';
import { loadPki } from '../support/pki';
import { withTerminal } from '../support/terminal';

const README = join(__dirname, '../../README.md');
const BLOCK =
  /(<!-- session: test\/cli\/readme-session -->\n```text\n)([\s\S]*?)(```\n<!-- \/session -->)/;

const pki = loadPki();
let cli: Cli;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

/** Of another day and another machine it looks the same. */
function normalised(screen: string): string {
  return screen
    .replace(/127\.0\.0\.1:\d+|localhost:\d+/g, 'localhost:8443')
    .replace(/\d{4}-\d\d-\d\d/g, '2036-01-01')
    .replace(/\(\d+ days\)/g, '(3650 days)')
    .replace(/(The server wait\w+(?: for the answer)?): \d+ s/g, '$1: 3 s');
}

test('is printed again', async () => {
  const server = await startHttpsServer({
    handler: (_request, response, { client }) => void response.end(`Hello, ${client}.\n`),
  });
  const { clients, clientB, serverCa } = pki;
  const files = [clients.ec256, clients.rsa, clientB].flatMap((one) => [one.certPath, one.keyPath]);
  folderOf(cli, 'certificates', files);
  copyFileSync(serverCa.certPath, join(cli.folder, 'ca.pem'));
  const typed = `connect https://localhost:${server.port}/hello --ca ca.pem --identity certificates`;
  const command = [process.execPath, cli.main, ...typed.split(' ')];
  await withTerminal(command, { columns: 80, cwd: cli.folder }, async (terminal) => {
    const first = await terminal.shows('navigate');
    await terminal.press('Down');
    await terminal.shows('❯ client rsa');
    await terminal.press('Enter');
    expect((await terminal.ended()).status).toBe(0);
    const session = normalised(
      `$ tls-client-cert ${typed}\n${first}\n\n(Down, Enter)\n\n${await terminal.everything()}\n`,
    );
    const readme = readFileSync(README, 'utf8');
    if (process.env.TCC_WRITE_SESSION) {
      writeFileSync(
        README,
        readme.replace(BLOCK, (_, start, __, end) => start + session + end),
      );
    }
    expect(BLOCK.exec(readFileSync(README, 'utf8'))?.[2]).toBe(session);
  });
  await server.close();
});
