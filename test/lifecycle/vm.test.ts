/** A program that runs in a `vm` context has another `Array`, `Uint8Array`, `Promise` and `Error` than we have. */
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { runChild } from './run-child';

let server: NodeServer;
let came: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  server = await startNodeServer({ identity: loadPki().server, ALPNProtocols: ['echo'] });
  const result = await runChild('vm-child', [server.port], { flags: ['--expose-gc'] });
  expect({ ...result, lines: [] }).toEqual({ end: 0, lines: [], errors: '' });
  came = Object.fromEntries(result.lines.map((line) => JSON.parse(line)));
});
afterAll(() => server.close());

const sent = { read: 'hello', status: 'sent', alpnProtocol: false };
const failed = (code: string, message: string, cause?: string) => ({
  code,
  message: expect.stringContaining(message),
  isOurs: true,
  isTheirs: cause !== undefined,
  ...(cause !== undefined && { cause }),
});

const CASES: Readonly<Record<string, unknown>> = {
  'options, and a callback that is async there': sent,
  'a credential at once': sent,
  'a thenable': sent,
  'bytes and lists': { ...sent, alpnProtocol: 'echo' },
  'ALPN in its wire form': { ...sent, alpnProtocol: 'echo' },
  'credentials in advance': sent,
  'a secure context': { ...sent, status: 'declined' },
  'an error thrown': failed('ERR_CLIENT_CERT_CALLBACK', 'threw an error: from there', 'from there'),
  'an error as rejection': failed(
    'ERR_CLIENT_CERT_CALLBACK',
    'rejected with an error',
    'from there',
  ),
  'an error of checkServerIdentity': {
    message: 'not for them',
    isOurs: false,
    isTheirs: false,
  },
  'an answer that is none': failed('ERR_CLIENT_CERT_ANSWER', 'Map'),
  'a date and an expression as answers': failed('ERR_CLIENT_CERT_ANSWER', 'Array'),
  'a signer, its promise and its signature': sent,
  'a signer that throws': failed('ERR_SIGNER_FAILED', 'an error: no card', 'no card'),
  'a listener, and a Suspension answered there': 'sent',
  'an error for destroy()': true,
  'a session': true,
  onread: 'hello',
  'Connection without a socket': ['done', 'want-read', 'want-read', 'ERR_INVALID_ARG_TYPE'],
  'a realm that is dropped while its callback is waited for': { whileAsked: false, after: true },
};

test.each(Object.entries(CASES))('%s', (name, expected) => {
  expect(came[name]).toEqual(expected);
});

test('each case is looked at', () => {
  expect(Object.keys(came).sort()).toEqual(Object.keys(CASES).sort());
});
