/** Two copies of the package in one process, each with a binary of its own. */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { patience } from '../support/slowness';
import { runChild } from './run-child';

const REPOSITORY = join(__dirname, '../..');

let folder: string;
let server: NodeServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-copy-'));
  // The one that all other tests load, built here or shipped.
  const { path } = require('node-gyp-build') as { path: (folder: string) => string };
  for (const copy of ['one', 'other'].map((name) => join(folder, name))) {
    cpSync(join(REPOSITORY, 'lib'), join(copy, 'lib'), { recursive: true });
    cpSync(join(REPOSITORY, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'), 'dir');
    cpSync(path(REPOSITORY), join(copy, 'build/Release/tls_client_cert.node'));
  }
  symlinkSync(join(folder, 'one'), join(folder, 'link'), 'dir');
  server = await startNodeServer({ identity: loadPki().server });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const GOOD = ['hello sent'];
const NO_ANSWER = 'TLSClientCertError ERR_CLIENT_CERT_ANSWER';
const WRONG_TYPE = 'thrown: TypeError ERR_INVALID_ARG_TYPE';

const CASES: Readonly<Record<string, unknown>> = {
  'are two': [true, true],
  'work at the same time': GOOD,
  'work in workers, too, while they work here': [GOOD, [GOOD, 0], [GOOD, 0]],
  'a SecureContext of the other': WRONG_TYPE,
  'a Credential of the other': WRONG_TYPE,
  'a Credential of the other as answer': NO_ANSWER,
  'a Credential of the other for a session': WRONG_TYPE,
  'a native context of the other': 'TypeError: not a native Context',
  'a Suspension of the other': [NO_ANSWER, 'thrown: TypeError undefined', 'sent'],
  'SUSPEND is the same': [true, 'sent'],
  'diagnostics channels are the same': 2,
  'a session goes from one to the other': true,
  'the process ends while both wait': null,
};

test.each([
  ['two copies, each with its binary', 'other', [], {}],
  // One binary, loaded twice: its objects are of one layout.
  [
    'one copy under two paths',
    'link',
    ['--preserve-symlinks', '--preserve-symlinks-main'],
    { 'a native context of the other': 'taken' },
  ],
])(
  '%s',
  async (_, other, flags, differences) => {
    const files = ['one', other].map((name) => join(folder, name, 'lib/index.ts'));
    const { end, lines, errors } = await runChild('copies-child', [server.port, ...files], {
      flags,
      // What names one binary for all.
      env: { TLS_CLIENT_CERT_PREBUILD: '' },
      timeout: 40_000,
    });
    const came = Object.fromEntries(lines.map((line) => JSON.parse(line)));
    expect({ end, errors, came }).toEqual({
      end: 0,
      errors: '',
      came: { ...CASES, ...differences },
    });
  },
  patience(50_000),
);
