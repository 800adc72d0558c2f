/** `probe --path`: servers that ask only where a path demands it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProbeReport } from '../../lib/cli/probe/report';
import { startApache } from '../support/apache';
import { type Cli, installCli } from '../support/cli';
import { PROTOCOLS } from '../support/client';
import { startNginx } from '../support/nginx';
import { loadPki } from '../support/pki';
import { withServer } from '../support/server-process';

const pki = loadPki();
const WHEN = { 'TLSv1.2': 'renegotiation', 'TLSv1.3': 'post-handshake' } as const;

let cli: Cli;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

async function probe(port: number, args: readonly string[]): Promise<ProbeReport> {
  const trust = ['--ca', pki.serverCa.certPath];
  const run = await cli.run(['probe', `https://localhost:${port}/`, '--json', ...trust, ...args]);
  expect(run.end).toBe(0);
  return JSON.parse(run.stdout) as ProbeReport;
}

describe.each(PROTOCOLS)('Apache, %s', (protocol) => {
  test('asks after a path, and that is told', async () => {
    await withServer(startApache({ protocol }), async ({ port }) => {
      const [open, closed, declined] = await Promise.all([
        probe(port, ['--path', '/']),
        probe(port, ['--path', '/private']),
        probe(port, ['--path', '/optional', '--decline']),
      ]);
      expect(open).toMatchObject({
        asked: false,
        requirement: null,
        http: { path: '/', status: 200, problem: null },
      });
      expect(closed).toMatchObject({
        asked: true,
        requests: [
          {
            when: WHEN[protocol],
            path: '/private',
            protocol,
            certificateAuthorities: [{ name: pki.clientCaA.subject }],
            answer: 'none',
          },
        ],
        requirement: 'unknown',
        http: { status: null, problem: 'it asked for a certificate instead' },
      });
      expect(declined).toMatchObject({
        requests: [{ when: WHEN[protocol], path: '/optional', answer: 'declined' }],
        requirement: 'optional',
        http: { status: 200 },
      });
    });
  });

  test('sees a path that is closed to those without a certificate', async () => {
    await withServer(startApache({ protocol }), async ({ port }) => {
      expect(await probe(port, ['--path', '/private', '--decline'])).toMatchObject({
        requests: [{ when: WHEN[protocol], answer: 'declined' }],
        requirement: 'required',
        http: { status: null },
      });
    });
  });
});

test('the picture shows the request after which it asks', async () => {
  await withServer(startApache({ protocol: 'TLSv1.3' }), async ({ port }) => {
    const file = join(cli.folder, 'late.svg');
    await probe(port, ['--path', '/private', '--svg', file, '--tls-min', '1.3']);
    const svg = await readFile(file, 'utf8');
    const drawn = [...svg.matchAll(/<text class="label[^>]*>([A-Za-z]+)/g)].map(([, name]) => name);
    const [before, behind] = [drawn.indexOf('GET'), drawn.indexOf('CertificateRequest')];
    expect(drawn.slice(0, before)).toContain('Finished');
    expect(behind).toBeGreaterThan(before);
    expect(drawn.at(-1)).toBe('handshake');
    expect(svg).toContain('>GET /private<');
  });
});

test('a server that is not trusted is asked for no path unless that is allowed', async () => {
  await withServer(startApache({ protocol: 'TLSv1.3' }), async ({ port }) => {
    const url = `https://localhost:${port}`;
    const run = async (...args: string[]) => {
      const { stdout } = await cli.run(['probe', url, '--json', '--path', '/private', ...args]);
      return JSON.parse(stdout) as ProbeReport;
    };
    const [kept, sent] = await Promise.all([run(), run('--insecure')]);
    expect(kept).toMatchObject({
      server: { trusted: false },
      asked: false,
      http: { status: null, problem: expect.stringContaining('--insecure') },
    });
    expect(sent).toMatchObject({ server: { trusted: false }, asked: true });
  });
});

test('nginx goes on without a certificate in TLS, and refuses by HTTP', async () => {
  await withServer(startNginx({ protocol: 'TLSv1.3' }), async ({ port }) => {
    expect(await probe(port, ['--path', '/', '--decline'])).toMatchObject({
      requests: [{ when: 'handshake', path: null, answer: 'declined' }],
      requirement: 'optional',
      http: { path: '/', status: 400 },
    });
  });
});
