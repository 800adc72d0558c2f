/** No key, passphrase, PIN or shared key is in what programs print of this package's objects. */
import { format, inspect } from 'node:util';
import { Agent } from '../../lib/agents/https';
import { connector } from '../../lib/agents/undici';
import { Connection, Credential, connect, createSecureContext } from '../../lib/index';
import { hangUp } from '../support/client';
import { createPair } from '../support/pair';
import { loadPki } from '../support/pki';

const { cert, key } = loadPki().clients.ec256;
const { encryptedPkcs8Pem, passphrase } = loadPki().encodings;
const psk = Buffer.from('a key that is shared');
const marks = [
  key.split('\n')[1],
  encryptedPkcs8Pem.split('\n')[1],
  passphrase,
  psk.toString(),
  psk.toString('hex'),
  psk.toString('base64'),
  inspect(psk).slice(8, 30),
].map(String);

const options = () => ({
  host: 'localhost',
  cert,
  key: encryptedPkcs8Pem,
  passphrase,
  pskCallback: () => ({ psk, identity: 'me' }),
});

const printed = (object: unknown) => {
  const cyclic = new WeakSet<object>();
  const json = JSON.stringify(object, (_name, value) => {
    if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? 0 : value;
    if (cyclic.has(value)) return undefined;
    cyclic.add(value);
    return value;
  });
  return [
    inspect(object, {
      depth: 20,
      showHidden: true,
      getters: true,
      maxStringLength: null,
      maxArrayLength: null,
    }),
    format('%o %O %s %j', object, object, object, null),
    String(json),
  ].join('\n');
};

const expectNoSecret = (text: string) => {
  for (const mark of marks)
    expect(text.includes(mark) ? mark : 'nothing secret').toBe('nothing secret');
};

test('the marks are seen where they are', () => {
  expect(
    marks.filter((mark) =>
      printed({
        ...options(),
        other: key,
        psk,
        text: psk.toString('hex'),
        b: psk.toString('base64'),
        c: psk.toString(),
      }).includes(mark),
    ),
  ).toHaveLength(marks.length);
});

const objects: [string, () => { object: unknown; end?: () => unknown }][] = [
  [
    'a Credential',
    () => ({ object: new Credential({ cert, key: encryptedPkcs8Pem, passphrase }) }),
  ],
  [
    'a SecureContext',
    () => ({ object: createSecureContext({ cert, key: encryptedPkcs8Pem, passphrase }) }),
  ],
  [
    'a Connection',
    () => {
      const object = new Connection(options());
      object.handshake();
      return { object, end: () => object.destroy() };
    },
  ],
  [
    'a TLSSocket',
    () => {
      const object = connect({ ...options(), socket: createPair().client });
      return { object, end: () => hangUp(object) };
    },
  ],
  ['an Agent', () => ({ object: new Agent({ cert, key: encryptedPkcs8Pem, passphrase }) })],
  ["an Agent's names", () => ({ object: new Agent().getName(options() as never) })],
  [
    'a connector of undici',
    () => ({ object: connector({ cert, key: encryptedPkcs8Pem, passphrase }) }),
  ],
];

test.each(objects)('%s', async (_name, make) => {
  const { object, end } = make();
  expectNoSecret(printed(object));
  await end?.();
});

const faults: [string, () => unknown][] = [
  [
    'a wrong passphrase',
    () => new Credential({ cert, key: encryptedPkcs8Pem, passphrase: `${passphrase}!` }),
  ],
  ['another key', () => new Credential({ cert: loadPki().clients.rsa.cert, key })],
  ['a key in the place of the certificate', () => new Credential({ cert: key, key })],
  ['a key that is cut', () => new Credential({ cert, key: key.slice(0, 90) })],
  ['a passphrase in the place of the key', () => createSecureContext({ cert, key: passphrase })],
  ['a key as a name of a version', () => createSecureContext({ ciphers: key })],
  ['a key in the place of an authority', () => createSecureContext({ ca: key })],
  ['a key as a crl', () => createSecureContext({ ca: cert, crl: key })],
];

test.each(faults)('the error of %s', (_name, act) => {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeDefined();
  expectNoSecret(printed(thrown));
  expectNoSecret(String((thrown as Error).stack));
});
