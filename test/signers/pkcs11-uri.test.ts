/** `pkcs11:` URIs, read and written. */
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { Pkcs11Uri, type Pkcs11UriAttributes } from '../../lib/signers/pkcs11/index';

test.each<[string, Pkcs11UriAttributes]>([
  ['pkcs11:', {}],
  ['PKCS11:token=card', { token: 'card' }],
  [
    'pkcs11:token=a%20card;manufacturer=m%C3%BCller;model=x%2Fy;serial=0a1b;slot-id=327;object=my%3Bkey;type=private;id=%00%ff%3Da',
    {
      token: 'a card',
      manufacturer: 'müller',
      model: 'x/y',
      serial: '0a1b',
      slotId: 327,
      object: 'my;key',
      type: 'private',
      id: Uint8Array.of(0, 255, 0x3d, 0x61),
    },
  ],
  [
    "pkcs11:library-manufacturer=L;library-description=D;library-version=3.1;slot-manufacturer=S;slot-description=(reader)*'1'",
    {
      libraryManufacturer: 'L',
      libraryDescription: 'D',
      libraryVersion: '3.1',
      slotManufacturer: 'S',
      slotDescription: "(reader)*'1'",
    },
  ],
  [
    'pkcs11:object=a&b?module-name=softhsm2&module-path=/usr/lib/x.so&pin-source=file:/etc/pin?x',
    {
      object: 'a&b',
      moduleName: 'softhsm2',
      modulePath: '/usr/lib/x.so',
      pinSource: 'file:/etc/pin?x',
    },
  ],
  ['pkcs11:token=?x-vendor=1', { token: '' }],
  ['pkcs11:object=50%2525', { object: '50%25' }],
])('%s', (text, attributes) => {
  const uri = Pkcs11Uri.parse(text);
  expect(uri.attributes).toEqual(attributes);
  expect(Pkcs11Uri.parse(uri.toString()).attributes).toEqual(attributes);
  expect(new Pkcs11Uri(attributes).toString()).toBe(uri.toString());
});

test('takes bytes of another realm', () => {
  const id = runInNewContext('Uint8Array.of(1, 255)') as Uint8Array;
  expect(String(new Pkcs11Uri({ id }))).toBe('pkcs11:id=%01%FF');
});

test('is written in one way', () => {
  const written = 'pkcs11:token=a%20card;slot-id=1;id=%01%FF;object=%C3%BC%3B%2F;type=cert';
  const uri = Pkcs11Uri.parse(
    'pkcs11:type=cert;object=%c3%bc%3b%2f;id=%01%ff;slot-id=01;token=a%20card',
  );
  expect(uri.toString()).toBe(written);
  expect(JSON.stringify({ uri })).toBe(JSON.stringify({ uri: written }));
  expect(inspect(uri)).toBe(`Pkcs11Uri <${written}>`);
});

test.each([
  ['http://example', 'pkcs11:', 'scheme'],
  ['pkcs11:tokens=a', 'tokens', 'unknown'],
  ['pkcs11:object-type=cert', 'object-type', 'unknown'],
  ['pkcs11:pin-value=1234', 'pin-value', 'unknown'],
  ['pkcs11:token=a;token=b', 'token', 'repeated'],
  ['pkcs11:?module-path=a&module-path=b', 'module-path', 'repeated'],
  ['pkcs11:token=a;', 'attribute 2 of its path', 'syntax'],
  ['pkcs11:token', 'attribute 1 of its path', 'syntax'],
  ['pkcs11:token=a?1234', 'attribute 1 of its query', 'syntax'],
  ['pkcs11:token=a b', 'token', 'character'],
  ['pkcs11:token=a/b', 'token', 'character'],
  ['pkcs11:token=%4', 'token', 'percent'],
  ['pkcs11:token=%zz', 'token', 'percent'],
  ['pkcs11:object=%FF', 'object', 'utf-8'],
  ['pkcs11:type=certificate', 'type', 'value'],
  ['pkcs11:slot-id=one', 'slot-id', 'value'],
  ['pkcs11:slot-id=-1', 'slot-id', 'value'],
  ['pkcs11:library-version=2.x', 'library-version', 'value'],
  ['pkcs11:?pin-value=1234&pin-source=/pin', 'pin-value', 'conflict'],
])('refused: %s', (text, input, reason) => {
  let error: unknown;
  try {
    Pkcs11Uri.parse(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: 'ERR_PKCS11_URI', input, reason });
  expect(inspect(error)).not.toContain('1234');
});

test.each([
  [{ slotId: 1.5 }, 'slot-id'],
  [{ id: '01' }, 'id'],
  [{ token: 5 }, 'token'],
  [{ pinValue: 271828 }, 'pin-value'],
])('refused as attributes: %j', (attributes, input) => {
  const make = () => new Pkcs11Uri(attributes as unknown as Pkcs11UriAttributes);
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_PKCS11_URI', input }));
  expect(make).not.toThrow(/271828/);
});

test('a PIN is never shown', () => {
  const uri = Pkcs11Uri.parse('pkcs11:token=card?pin-value=271%2B828&module-path=/x.so');
  expect(uri.hasPin).toBe(true);
  expect(uri.attributes).toEqual({ token: 'card', modulePath: '/x.so' });
  const shown = [
    uri.toString(),
    JSON.stringify(uri),
    JSON.stringify(uri.attributes),
    inspect(uri, { showHidden: true, depth: 10 }),
    inspect({ ...uri }),
  ];
  for (const text of shown) expect(text).not.toMatch(/271|828/);
  for (const bad of ['27182%zz', '27182 8', '27182%FF']) {
    const parse = () => Pkcs11Uri.parse(`pkcs11:token=card?pin-value=${bad}`);
    expect(parse).toThrow(expect.objectContaining({ input: 'pin-value' }));
    expect(parse).not.toThrow(/27182/);
  }
});

test('what is no text is no URI', () => {
  expect(() => Pkcs11Uri.from(undefined as unknown as string)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  );
});

test.each([
  ['a string', 'pkcs11:token=card?pin-value=271828', 'type string'],
  ['one that is read', Pkcs11Uri.parse('pkcs11:token=card'), 'an instance of Pkcs11Uri'],
  ['null', null, 'null'],
  ['nothing', undefined, 'undefined'],
])('the constructor takes attributes, and no URI: %s', (_what, given, received) => {
  const make = () => new Pkcs11Uri(given as unknown as Pkcs11UriAttributes);
  expect(make).toThrow(
    expect.objectContaining({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message:
        'The "attributes" argument must be an object; a URI is read by Pkcs11Uri.parse(uri). ' +
        `Received ${received}`,
    }),
  );
});
