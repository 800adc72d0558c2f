/** Where the addon cannot be loaded, one sentence says so; nothing crashes. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './run-child';

const REPOSITORY = join(__dirname, '../..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-missing-'));
  cpSync(join(REPOSITORY, 'lib'), join(folder, 'lib'), { recursive: true });
  cpSync(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'), 'dir');
});
afterEach(() => rmSync(folder, { recursive: true }));

const load = async (fake = '') => {
  const index = join(folder, 'lib/index.ts');
  // Tools say by it where the binary is that they have built.
  const env = { TLS_CLIENT_CERT_PREBUILD: '' };
  const { end, lines, errors } = await runChild('load-child', [index, fake], { env });
  expect({ end, errors }).toEqual({ end: 0, errors: '' });
  return JSON.parse(lines[0] ?? '') as { code?: string; message?: string; cause?: string };
};

test('no binary at all', async () => {
  const { code, message, cause } = await load();
  expect(code).toBe('ERR_TLS_ADDON_UNAVAILABLE');
  expect(message).toContain('npm rebuild tls-client-cert');
  expect(cause).toContain('No native build was found');
});

test('a binary that is none', async () => {
  mkdirSync(join(folder, 'build/Release'), { recursive: true });
  writeFileSync(join(folder, 'build/Release/tls_client_cert.node'), 'not a shared library');
  const { code, cause } = await load();
  expect(code).toBe('ERR_TLS_ADDON_UNAVAILABLE');
  expect(cause).toBeTruthy();
});

test.each(['electron', 'no openssl'])('a host that is not Node with OpenSSL: %s', async (fake) => {
  // The one that all other tests load, built here or shipped.
  const { path } = require('node-gyp-build') as { path: (folder: string) => string };
  cpSync(path(REPOSITORY), join(folder, 'build/Release/tls_client_cert.node'));
  expect(await load(fake)).toMatchObject({
    code: 'ERR_TLS_ADDON_UNAVAILABLE',
    message: expect.stringContaining('Electron and Bun'),
  });
  // The copy itself is good.
  expect(await load()).toEqual({});
});
