/** Credentials out of OSSL_STORE: files by the default provider, and keys in a TPM by another. */

import { verify, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { binding } from '../../lib/binding';
import {
  Credential,
  type SignatureScheme,
  type Signer,
  type StoreOptions,
  type TLSClientCertError,
} from '../../lib/index';
import { runChild } from '../lifecycle/run-child';
import { dial, hangUp, PROTOCOLS, secured, withSServer } from '../support/client';
import { Issuer } from '../support/issue';
import { openssl } from '../support/openssl';
import { loadPki } from '../support/pki';
import { type Swtpm, startSwtpm, type TpmKey, tpmModule } from '../support/swtpm';
import type { StoreTask } from './children/store-child';
import { verification } from './verification';

const pki = loadPki();
const { ec256, rsa } = pki.clients;
const { passphrase } = pki.encodings;
const data = Buffer.from('what is to be signed');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-store-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(...contents: (string | Buffer)[]): string {
  files += 1;
  const path = join(folder, `store-${files}`);
  writeFileSync(path, Buffer.concat(contents.map((content) => Buffer.from(content))));
  return path;
}

async function faultOf(uri: unknown, options?: unknown) {
  const error = await Credential.fromStore(uri as string, options as StoreOptions).then(
    () => new Error('it was opened'),
    (thrown: TLSClientCertError) => thrown,
  );
  const { code, reason, input, message } = error as TLSClientCertError;
  return { code, reason, input, message, error };
}

/** Whether `credential`'s signer signs for its certificate, under all that it declares. */
async function signs(credential: Credential): Promise<boolean> {
  const signer = Credential.signerOf(credential) as Signer;
  for (const scheme of signer.schemes ?? []) {
    const { signal } = new AbortController();
    const signature = await signer.sign(data, scheme, { signal });
    const { hash, key } = verification(scheme, credential.certificate.publicKey);
    if (!verify(hash, data, key, signature)) return false;
  }
  return true;
}

const schemesOf = (credential: Credential) => Credential.signerOf(credential)?.schemes;

describe('a file', () => {
  const ECDSA = [
    'ecdsa_secp256r1_sha256',
    'ecdsa_secp384r1_sha384',
    'ecdsa_secp521r1_sha512',
    'ecdsa_sha1',
  ];
  const stores: Record<string, () => [uri: string, options?: StoreOptions]> = {
    'by its path': () => [fileOf(ec256.key, ec256.cert)],
    'by its URL': () => [pathToFileURL(fileOf(ec256.cert, ec256.key)).href],
    'of a key, and the certificate given': () => [fileOf(ec256.key), { cert: ec256.cert }],
    'of a key in DER': () => [
      fileOf(pki.encodings.keyDer),
      { cert: new X509Certificate(ec256.cert) },
    ],
    'encrypted, in PKCS#8': () => [
      fileOf(ec256.cert, pki.encodings.encryptedPkcs8Pem),
      { passphrase },
    ],
    'encrypted, in the traditional form': () => [
      fileOf(pki.encodings.encryptedTraditionalPem, ec256.cert),
      { passphrase: Buffer.from(passphrase) },
    ],
    'encrypted, in DER': () => [
      fileOf(pki.encodings.encryptedPkcs8Der),
      { passphrase, cert: ec256.cert },
    ],
    'of other keys as well': () => [
      fileOf(rsa.key, pki.otherEcClient.key, ec256.key),
      { cert: ec256.cert },
    ],
    'of other certificates as well': () => [fileOf(rsa.cert, ec256.key, ec256.cert, pki.crl)],
    'of the same twice': () => [fileOf(ec256.cert, ec256.key, ec256.cert, ec256.key)],
  };

  it.each(Object.keys(stores))('%s', async (name) => {
    const [uri, options] = stores[name]?.() ?? [''];
    const credential = await Credential.fromStore(uri, options);
    expect(credential.subject).toBe(ec256.subject);
    expect(credential.chain).toEqual([]);
    expect(schemesOf(credential)).toEqual(ECDSA);
    expect(await signs(credential)).toBe(true);
  });

  it.each(Object.entries(pki.clients))('with a key of the type %s', async (_, client) => {
    const credential = await Credential.fromStore(fileOf(client.cert, client.key));
    expect(schemesOf(credential)?.length).toBeGreaterThan(0);
    expect(await signs(credential)).toBe(true);
  });

  it('declares what a key can sign, by its type and size', async () => {
    const of = async ({ cert, key }: typeof rsa) =>
      schemesOf(await Credential.fromStore(fileOf(cert, key)));
    const pkcs1 = ['rsa_pkcs1_sha256', 'rsa_pkcs1_sha384', 'rsa_pkcs1_sha512', 'rsa_pkcs1_sha1'];
    expect(await of(rsa)).toEqual([
      'rsa_pss_rsae_sha256',
      'rsa_pss_rsae_sha384',
      'rsa_pss_rsae_sha512',
      ...pkcs1,
    ]);
    // PSS with SHA-512 takes 130 bytes.
    expect(await of(pki.rsa1024Client)).not.toContain('rsa_pss_rsae_sha512');
    expect(await of(pki.clients['rsa-pss'])).toEqual([
      'rsa_pss_pss_sha256',
      'rsa_pss_pss_sha384',
      'rsa_pss_pss_sha512',
    ]);
    expect(await of(pki.clients.ed25519)).toEqual(['ed25519']);
  });

  it('that is a PKCS#12, whose chain is brought into order', async () => {
    const { pfx, pfxWithoutPassphrase } = pki.encodings;
    const deep = await Credential.fromStore(fileOf(pfx), { passphrase });
    expect(deep.subject).toBe(pki.deepClient.subject);
    expect(deep.chain.map((certificate) => certificate.subject.split('\n').pop())).toEqual([
      'CN=Client Intermediate A2',
      'CN=Client Intermediate A',
    ]);
    expect(await signs(deep)).toBe(true);
    const open = await Credential.fromStore(fileOf(pfxWithoutPassphrase));
    expect(open.subject).toBe(rsa.subject);
    expect(open.chain).toEqual([]);
  });

  it('has its chain brought into order, unless one is given', async () => {
    const { deepClient, intermediateA, intermediateA2, clientCaA } = pki;
    const uri = fileOf(
      clientCaA.cert,
      intermediateA.cert,
      deepClient.key,
      intermediateA2.cert,
      deepClient.cert,
    );
    const names = ({ chain }: Credential) =>
      chain.map((certificate) => certificate.subject.split('\n').pop());
    expect(names(await Credential.fromStore(uri))).toEqual([
      'CN=Client Intermediate A2',
      'CN=Client Intermediate A',
    ]);
    expect(names(await Credential.fromStore(uri, { chain: intermediateA2.cert }))).toEqual([
      'CN=Client Intermediate A2',
    ]);
    expect(names(await Credential.fromStore(uri, { chain: [] }))).toEqual([]);
    const given = await Credential.fromStore(uri, { cert: deepClient.cert + deepClient.chain });
    expect(names(given)).toHaveLength(2);
  });

  it('of two issuers with one name, as after a renewal, sends the one that signed', async () => {
    const issuers = await Promise.all([Issuer.create(), Issuer.create()]);
    try {
      const order = {
        name: 'renewed',
        issuer: pki.clientCaA,
        extensions: ['basicConstraints = CA:TRUE'],
      };
      const [before, after] = await Promise.all(issuers.map((one) => one.issue(order)));
      if (before === undefined || after === undefined) throw new Error('none was issued');
      // Without an identifier of its issuer's key, which would tell as well.
      const extensions = ['authorityKeyIdentifier = none'];
      const leaf = await issuers[0]?.issue({ name: 'leaf', issuer: after, extensions });
      if (leaf === undefined) throw new Error('it was not issued');
      const uri = fileOf(before.cert, leaf.cert, leaf.key, after.cert);
      const { chain } = await Credential.fromStore(uri);
      expect(chain.map(String)).toEqual([after.cert]);
    } finally {
      for (const one of issuers) await one.remove();
    }
  });

  it('declares the schemes that are given in place of all', async () => {
    const schemes = ['rsa_pss_rsae_sha256'] as const;
    const credential = await Credential.fromStore(fileOf(rsa.key, rsa.cert), { schemes });
    expect(schemesOf(credential)).toEqual(schemes);
  });

  it('opens with a provider that Node.js brings along', async () => {
    const options = { providers: ['legacy'], propertyQuery: 'provider=default' };
    const credential = await Credential.fromStore(fileOf(ec256.key, ec256.cert), options);
    expect(await signs(credential)).toBe(true);
  });

  test.each(PROTOCOLS)('authenticates a client on %s', async (protocol) => {
    const server = { requestCert: 'required', clientCa: pki.clientCasPath, protocol } as const;
    for (const { cert, key, subject } of [rsa, ec256]) {
      const credential = await Credential.fromStore(fileOf(key, cert));
      await withSServer(server, async (s_server) => {
        const socket = dial(s_server, { clientCertCallback: () => credential });
        await secured(socket);
        expect((await s_server.sawClient()).subject).toBe(subject);
        await hangUp(socket);
      });
    }
  });
});

describe('a store that will not do', () => {
  const NAMED = { input: 'uri' };

  it('has a URI of a scheme that nobody knows', async () => {
    for (const uri of ['nobody:knows', 'nobody://knows/it']) {
      const fault = await faultOf(uri);
      expect(fault).toMatchObject({
        ...NAMED,
        code: 'ERR_STORE_UNREADABLE',
        reason: 'store-scheme',
      });
      expect(fault.message).toBe(
        `No provider knows the scheme of the store "${uri}": name one that does in "providers".`,
      );
    }
  });

  it('is a file, and the query lets no provider open files', async () => {
    const uri = fileOf(ec256.key, ec256.cert);
    const fault = await faultOf(uri, { propertyQuery: 'provider=legacy', providers: ['legacy'] });
    expect(fault).toMatchObject({ ...NAMED, reason: 'store-scheme' });
    expect(fault.message).toMatch(
      /^No provider that "propertyQuery" allows knows the scheme .* begin each property with "\?"/,
    );
    await Credential.fromStore(uri, { propertyQuery: '?provider=legacy', providers: ['legacy'] });
  });

  it('is not there', async () => {
    for (const uri of ['/nowhere/at/all.pem', 'file:/nowhere/at/all.pem']) {
      const fault = await faultOf(uri);
      expect(fault).toMatchObject({ ...NAMED, reason: 'store-unreadable' });
      expect(fault.message).toMatch(/^The store ".*all.pem" cannot be read\. OpenSSL says: /);
      expect(fault.message).toMatch(`No such file or directory: calling stat(${uri})`);
    }
  });

  it('holds no key', async () => {
    for (const uri of [fileOf(ec256.cert), fileOf('nothing at all'), fileOf(''), folder]) {
      expect(await faultOf(uri)).toMatchObject({
        ...NAMED,
        code: 'ERR_STORE_UNREADABLE',
        reason: 'no-private-key',
        message: expect.stringContaining(`"${uri}" holds no private key`),
      });
    }
  });

  it('holds no certificate', async () => {
    expect(await faultOf(fileOf(ec256.key))).toMatchObject({
      ...NAMED,
      code: 'ERR_STORE_UNREADABLE',
      reason: 'no-certificate',
      message: expect.stringContaining('as "cert"'),
    });
  });

  it('holds two certificates with their keys', async () => {
    const uri = fileOf(ec256.key, ec256.cert, rsa.cert, rsa.key);
    expect(await faultOf(uri)).toMatchObject({ ...NAMED, reason: 'several-credentials' });
    const credential = await Credential.fromStore(uri, { cert: rsa.cert });
    expect(credential.subject).toBe(rsa.subject);
  });

  it('holds a key that belongs to no certificate', async () => {
    const { key } = pki.otherEcClient;
    const uri = fileOf(key, ec256.cert);
    expect(await faultOf(uri)).toMatchObject({
      code: 'ERR_CREDENTIAL_MISMATCH',
      reason: 'key-mismatch',
      message: expect.stringContaining(`"${uri}" belongs to a certificate in it`),
    });
    expect(await faultOf(fileOf(key), { cert: ec256.cert })).toMatchObject({
      code: 'ERR_CREDENTIAL_MISMATCH',
      input: 'cert',
      message: expect.stringContaining('belongs to the certificate in "cert"'),
    });
  });

  it('is damaged', async () => {
    const damaged = ec256.key.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
    expect(await faultOf(fileOf(ec256.cert, damaged))).toMatchObject({
      code: 'ERR_STORE_UNREADABLE',
      reason: expect.stringMatching(/store-unreadable|no-private-key/),
    });
  });

  const { encryptedPkcs8Pem, encryptedTraditionalPem, encryptedPkcs8Der, pfx } = pki.encodings;
  it.each([
    ['PKCS#8', encryptedPkcs8Pem],
    ['the traditional form', encryptedTraditionalPem],
    ['DER', encryptedPkcs8Der],
    ['PKCS#12', pfx],
  ])('is locked: %s', async (_, content) => {
    const uri = fileOf(content);
    expect(await faultOf(uri)).toMatchObject({
      code: 'ERR_CREDENTIAL_PASSPHRASE',
      reason: 'store-passphrase-missing',
      message: `The store "${uri}" is locked: give its passphrase as "passphrase".`,
    });
    for (const wrong of ['5ecret-and-wrong', '', 'x'.repeat(5_000)]) {
      const fault = await faultOf(uri, { passphrase: wrong });
      expect(fault).toMatchObject({
        code: 'ERR_CREDENTIAL_PASSPHRASE',
        reason: 'store-passphrase-wrong',
      });
      if (wrong !== '') expect(inspect(fault.error, { depth: 9 })).not.toContain(wrong);
    }
  });

  it('holds what no provider knows', async () => {
    const unknown = '-----BEGIN TSS2 PRIVATE KEY-----\nMAMCAQU=\n-----END TSS2 PRIVATE KEY-----\n';
    for (const uri of [fileOf(unknown), fileOf(Buffer.from('3003020105', 'hex'))]) {
      const fault = await faultOf(uri);
      expect(fault).toMatchObject({ ...NAMED, reason: 'store-unreadable' });
      expect(fault.message).toContain(`"${uri}" is there, and no provider can read what is in it`);
    }
  });

  describe('is encrypted as OpenSSL 3 does by its legacy provider alone', () => {
    const [secret, name] = ['27182818', 'store-algorithm-unsupported'];
    const legacy = async (...args: string[]) => {
      const [input, output] = [fileOf(rsa.cert, rsa.key), fileOf()];
      const files = ['-in', input, '-out', output, '-passout', `pass:${secret}`];
      await openssl([...args, ...files], folder);
      return output;
    };
    const pkcs12 = () => legacy('pkcs12', '-export', '-legacy');
    const keys: [string, readonly string[]][] = [
      ['PEM', []],
      ['DER', ['-outform', 'DER']],
    ];
    const key = (form: readonly string[]) =>
      legacy(
        ...['pkcs8', '-topk8', '-v1', 'PBE-SHA1-RC2-40', ...form],
        ...['-provider', 'legacy', '-provider', 'default'],
      );

    it('a PKCS#12', async () => {
      const uri = await pkcs12();
      for (const providers of [[], ['legacy']]) {
        const fault = await faultOf(uri, { passphrase: secret, providers });
        expect(fault).toMatchObject({ ...NAMED, code: 'ERR_STORE_UNREADABLE', reason: name });
        expect(fault.message).toMatch(
          /^The store ".*" is encrypted with an algorithm that OpenSSL 3/,
        );
        expect(fault.message).toMatch(/`openssl pkcs12 -legacy`.*--openssl-legacy-provider/);
        expect(fault.message).toMatch('Algorithm (RC2-40-CBC');
        expect(fault.message.includes('"legacy" among "providers"')).toBe(providers.length === 0);
        expect(inspect(fault.error, { depth: 9 })).not.toContain(secret);
      }
      expect(await faultOf(uri)).toMatchObject({ reason: 'store-passphrase-missing' });
      expect(await faultOf(uri, { passphrase: 'wrong' })).toMatchObject({
        code: 'ERR_CREDENTIAL_PASSPHRASE',
        reason: 'store-passphrase-wrong',
      });
    });

    it.each(keys)('a key in %s, which opens with that provider', async (_, form) => {
      const uri = await key(form);
      const options = { passphrase: secret, cert: rsa.cert };
      expect(await faultOf(uri, options)).toMatchObject({
        ...NAMED,
        reason: name,
        message: expect.stringContaining('"legacy" among "providers"'),
      });
      const providers = ['legacy'];
      expect(await signs(await Credential.fromStore(uri, { ...options, providers }))).toBe(true);
      expect(await faultOf(uri, { ...options, providers, passphrase: 'wrong' })).toMatchObject({
        reason: 'store-passphrase-wrong',
      });
    });
  });

  it('holds a key that signs under none of the schemes that are given', async () => {
    const schemes = ['ed25519', 'ecdsa_secp256r1_sha256'];
    for (const cert of [undefined, rsa.cert]) {
      const fault = await faultOf(fileOf(rsa.cert, rsa.key), { schemes, cert });
      expect(fault).toMatchObject({
        code: 'ERR_CREDENTIAL_MISMATCH',
        reason: 'schemes-unsuitable',
        input: 'schemes',
      });
      expect(fault.message).toMatch(/^"schemes" names none .* these are rsa_pss_rsae_sha256, /);
    }
  });

  it('wants a provider that is a library, and no provider', async () => {
    const { path } = require('node-gyp-build') as { path: (folder: string) => string };
    const library = path(join(__dirname, '../..'));
    const fault = await faultOf(fileOf(ec256.key, ec256.cert), { providers: [library] });
    expect(fault).toMatchObject({ code: 'ERR_STORE_PROVIDER', reason: 'store-provider' });
    expect(fault.message).toBe(
      `The OpenSSL provider "${library}" (providers[0]) cannot be loaded: it is a shared library, ` +
        'but no OpenSSL provider: it has no function OSSL_provider_init. Give the path of a provider.',
    );
  });

  it('wants a provider that is not there', async () => {
    const uri = fileOf(ec256.key, ec256.cert);
    const named = await faultOf(uri, { providers: ['legacy', 'nobodys'] });
    expect(named).toMatchObject({
      code: 'ERR_STORE_PROVIDER',
      reason: 'store-provider',
      input: 'providers[1]',
    });
    expect(named.message).toMatch(/^The OpenSSL provider "nobodys" \(providers\[1\]\) cannot be/);
    expect(named.message).toMatch(/\/nobodys\.so: cannot open shared object file/);
    expect(named.message).toMatch('OPENSSL_MODULES');
    expect(named.message).toMatch('Give the absolute path of the module.');
    const path = await faultOf(uri, { providers: ['/nowhere/nobodys.so'] });
    expect(path.message).toBe(
      'The OpenSSL provider "/nowhere/nobodys.so" (providers[0]) cannot be loaded: ' +
        '/nowhere/nobodys.so: cannot open shared object file: No such file or directory.',
    );
  });

  it('wants a provider that is none, or whose device is missing', async () => {
    const uri = fileOf(ec256.key, ec256.cert);
    const { path } = require('node-gyp-build') as { path: (folder: string) => string };
    for (const module of [path(join(__dirname, '../..')), fileOf('no library')]) {
      const fault = await faultOf(uri, { providers: [module] });
      expect(fault).toMatchObject({ code: 'ERR_STORE_PROVIDER', input: 'providers[0]' });
    }
  });

  it('shows no PIN that stands in its URI', async () => {
    const fault = await faultOf('pkcs11:token=card;object=key?pin-value=31415926&x=y');
    expect(fault.message).toContain('pkcs11:token=card;object=key?pin-value=…&x=y');
    expect(inspect(fault.error, { depth: 9 })).not.toContain('31415926');
  });

  it('shows no PIN and no passphrase that stands in what OpenSSL says', async () => {
    // It names the file that it looked for.
    const named = await faultOf(`${folder}/card?pin-value=3141%35926&x=y`);
    expect(named.message).toMatch(/cannot be read.*: calling stat\(.*\/card\?pin-value=…&x=y\)\.$/);
    expect(inspect(named.error, { depth: 9 })).not.toContain('5926');
    const elsewhere = await faultOf(`${folder}/3141592/card?pin-value=314159%32`);
    expect(elsewhere.message).toMatch(/OpenSSL says: [^(]*No such file or directory\.$/);
    const passphrase = '27182818';
    const given = await faultOf(`/nowhere/${passphrase}`, { passphrase });
    expect(given.message).toMatch(/OpenSSL says: [^(]*No such file or directory\.$/);
  });
});

describe('wrong arguments', () => {
  const uri = () => fileOf(ec256.key, ec256.cert);
  it.each<[string, () => unknown, unknown, RegExp]>([
    ['no URI', () => undefined, {}, /"uri" argument must be of type string/],
    ['an empty URI', () => '', {}, /'uri' must be neither empty/],
    ['a null byte in the URI', () => '/etc/passwd\0.pem', {}, /'uri' must be neither empty/],
    ['options', uri, null, /"options" argument must be of type object/],
    ['providers', uri, { providers: 'tpm2' }, /"options.providers" property must be an Array/],
    ['a provider', uri, { providers: [1] }, /"options.providers\[0\]" property must be of type st/],
    ['a passphrase', uri, { passphrase: 1 }, /"options.passphrase" property must be of type str/],
    ['a scheme', uri, { schemes: ['x'] }, /'options.schemes\[0\]' is "x", which is no TLS/],
    ['a query', uri, { propertyQuery: 1 }, /"options.propertyQuery" property must be of type st/],
    ['a signal', uri, { signal: {} }, /"options.signal" property must be an instance of AbortS/],
    ['a certificate', uri, { cert: 1 }, /"options.cert" property must be of type string or an/],
  ])('%s', async (_, makeUri, options, message) => {
    const fault = await faultOf(makeUri(), options);
    expect(fault.message).toMatch(message);
    expect(fault.code).toMatch(/^ERR_INVALID_ARG/);
  });

  it('are told of before the store is opened: an unreadable certificate', async () => {
    expect(await faultOf('/nowhere/at/all', { cert: 'none' })).toMatchObject({
      code: 'ERR_CREDENTIAL_INVALID',
      input: 'cert',
    });
  });
});

describe('giving up', () => {
  it('before it began', async () => {
    const reason = new Error('not wanted');
    const fault = await faultOf(fileOf(ec256.key, ec256.cert), {
      signal: AbortSignal.abort(reason),
    });
    expect(fault.error).toBe(reason);
  });

  it('while it is being opened', async () => {
    const controller = new AbortController();
    const fault = faultOf(fileOf(ec256.key, ec256.cert), { signal: controller.signal });
    const reason = new Error('not wanted any more');
    controller.abort(reason);
    expect((await fault).error).toBe(reason);
  });

  it('is too late when it is open', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const credential = await Credential.fromStore(fileOf(ec256.key, ec256.cert), { signal });
    controller.abort();
    expect(await signs(credential)).toBe(true);
  });
});

describe('the native key', () => {
  it('is made by openStore() alone, and none can pose as it', async () => {
    const { keys } = await binding.openStore({ uri: fileOf(ec256.key), providers: [] });
    const [key] = keys;
    const { constructor: Key } = key as unknown as { constructor: new (key?: unknown) => unknown };
    expect(() => new Key()).toThrow('Illegal constructor');
    expect(() => new Key(key)).toThrow('Illegal constructor');
    for (const receiver of [{}, Object.create(key ?? null), null]) {
      expect(() => key?.sign.call(receiver as never, 0x0403, data)).toThrow(
        expect.objectContaining({ name: 'TypeError' }),
      );
    }
  });

  it('signs under no scheme of another type, and under none that is unknown', async () => {
    const { keys } = await binding.openStore({ uri: fileOf(ec256.key), providers: [] });
    for (const scheme of [0x0804, 0x0807, 0xffff, 0]) {
      await expect(keys[0]?.sign(scheme, data)).rejects.toMatchObject({
        failure: { reason: 'store-signature' },
      });
    }
  });

  it('shows nothing of the key, the store or the passphrase', async () => {
    const uri = fileOf(ec256.cert, pki.encodings.encryptedPkcs8Pem);
    const credential = await Credential.fromStore(uri, { passphrase });
    const shown = inspect([credential, Credential.signerOf(credential)], {
      depth: 9,
      showHidden: true,
    });
    expect(shown).not.toContain(passphrase);
    expect(shown).not.toContain(uri);
  });
});

describe('a TPM', () => {
  const PIN = '27182818';
  let tpm: Swtpm;
  let module: string;
  const keys: Record<string, TpmKey> = {};

  beforeAll(async () => {
    module = await tpmModule();
    tpm = await startSwtpm();
    keys.rsa = await tpm.createKey('rsa2048', pki.clientCaA);
    keys.ec = await tpm.createKey('ecc256', pki.clientCaA);
    keys.locked = await tpm.createKey('ecc256', pki.clientCaA, PIN);
    keys.file = await tpm.createKeyFile(pki.clientCaA);
    keys.pssOnly = await tpm.createKey('rsa2048:rsapss-sha256:null', pki.clientCaA);
  }, 60_000);
  // Who fails may leave it stopped.
  afterEach(() => tpm.resume());
  afterAll(() => tpm.stop());

  /** Runs a child with one of the keys; resolves to its end and to what it reported. */
  async function inChild(
    mode: StoreTask['mode'],
    kind: string,
    options: Partial<StoreTask> = {},
    env: Record<string, string> = {},
  ) {
    const { uri, cert } = keys[kind] as TpmKey;
    const task = { mode, module, uri, cert, pid: tpm.pid, ...options };
    const { end, lines, errors } = await runChild(
      '../../signers/children/store-child',
      [JSON.stringify(task)],
      {
        flags: ['--expose-gc'],
        // The libraries of TPMs write their own log.
        env: { TPM2OPENSSL_TCTI: tpm.tcti, TSS2_LOG: 'all+none', ...env },
      },
    );
    expect(errors).toBe('');
    return { end, reports: lines.map((line) => JSON.parse(line)) };
  }

  const reportOf = async (...args: Parameters<typeof inChild>) => {
    const { end, reports } = await inChild(...args);
    expect(end).toBe(0);
    expect(reports).toHaveLength(1);
    return reports[0];
  };

  const ECDSA = [
    'ecdsa_secp256r1_sha256',
    'ecdsa_secp384r1_sha384',
    'ecdsa_secp521r1_sha512',
    'ecdsa_sha1',
  ];
  const RSA = [
    'rsa_pss_rsae_sha256',
    'rsa_pss_rsae_sha384',
    'rsa_pss_rsae_sha512',
    'rsa_pkcs1_sha256',
    'rsa_pkcs1_sha384',
    'rsa_pkcs1_sha512',
    'rsa_pkcs1_sha1',
  ];

  test.each([
    ['rsa', RSA],
    ['ec', ECDSA],
  ])('signs with its %s key', async (kind, schemes) => {
    const all = Object.fromEntries(schemes.map((scheme) => [scheme, true]));
    expect(await reportOf('schemes', kind)).toEqual(all);
  });

  test('signs with a key that it has wrapped, out of a file', async () => {
    expect(await reportOf('schemes', 'file')).toMatchObject({ ecdsa_secp256r1_sha256: true });
    // Without its provider the file is one like others, and holds no key that anybody knows.
    expect(await faultOf(keys.file?.uri)).toMatchObject({ code: 'ERR_STORE_UNREADABLE' });
  });

  test('is found by the name of its provider, where OPENSSL_MODULES says', async () => {
    const named = { module: 'tpm2' };
    const modules = { OPENSSL_MODULES: dirname(module) };
    const { reports } = await inChild('schemes', 'ec', named, modules);
    expect(reports[0]).toMatchObject({ ecdsa_secp256r1_sha256: true });
    expect(await reportOf('fault', 'ec', named)).toMatchObject({ code: 'ERR_STORE_PROVIDER' });
  });

  test('signs with a key that takes a PIN', async () => {
    expect(await reportOf('schemes', 'locked', { passphrase: PIN })).toMatchObject({
      ecdsa_secp256r1_sha256: true,
    });
    expect(await reportOf('fault', 'locked')).toMatchObject({
      code: 'ERR_CREDENTIAL_PASSPHRASE',
      reason: 'store-passphrase-missing',
    });
  });

  test('is sent a wrong PIN once, whoever signs', async () => {
    // The TPM looks at it when it signs.
    const faults = await reportOf('wrong passphrase', 'locked', { passphrase: '16180339' });
    expect(faults).toHaveLength(3);
    for (const fault of faults) {
      expect(fault).toEqual({ ...faults[0], code: 'ERR_CREDENTIAL_PASSPHRASE' });
      expect(fault).toMatchObject({ reason: 'store-passphrase-wrong' });
      expect(fault.message).toMatch(/the TPM refused "passphrase"\. It is not sent again/);
      expect(fault.message).toMatch(/OpenSSL says: .*cannot sign: 2466 tpm:session\(1\):auth/);
      expect(fault.message).not.toMatch('16180339');
    }
  });

  test('is asked once for a PIN that its URI does not mention', async () => {
    const uri = keys.locked?.uri.replace('?pass', '') ?? '';
    const faults = await reportOf('wrong passphrase', 'locked', { uri, passphrase: PIN });
    for (const fault of faults) {
      expect(fault).toMatchObject({
        code: 'ERR_CREDENTIAL_PASSPHRASE',
        reason: 'store-passphrase-missing',
        message: expect.stringContaining('"?pass" at the end of the URI'),
      });
    }
  });

  test('signs with a key that is bound to one scheme, which is named', async () => {
    const schemes: SignatureScheme[] = ['rsa_pss_rsae_sha256'];
    expect(await reportOf('schemes', 'pssOnly', { schemes })).toEqual({
      rsa_pss_rsae_sha256: true,
    });
  });

  describe.each(PROTOCOLS)('authenticates a client on %s', (protocol) => {
    test.each(['rsa', 'ec', 'pssOnly'])('by its %s key', async (kind) => {
      const options = { requestCert: 'required', clientCa: pki.clientCasPath, protocol } as const;
      await withSServer(options, async (server) => {
        const bound: Partial<StoreTask> =
          kind === 'pssOnly' ? { schemes: ['rsa_pss_rsae_sha256'] } : {};
        const { port } = server;
        expect(await reportOf('handshake', kind, { port, protocol, ...bound })).toMatchObject({
          protocol,
          signedUnder: kind === 'ec' ? ECDSA[0] : RSA[0],
        });
        expect((await server.sawClient()).subject).toBe(keys[kind]?.subject);
      });
    });
  });

  test('keeps nothing waiting but its own signature', async () => {
    expect(await reportOf('not blocked', 'rsa')).toEqual(['1000 turns', 'timer', 'signed: true']);
  });

  test('takes one thread of the pool, however many signatures are wanted', async () => {
    expect(await reportOf('many at once', 'ec')).toEqual([
      'pool is free',
      ...Array.from({ length: 8 }, () => 'true'),
    ]);
  });

  test('takes one thread of the pool, however many of its keys are opened', async () => {
    expect(await inChild('many opened at once', 'ec')).toEqual({
      end: 'SIGKILL',
      reports: ['pool is free'],
    });
  });

  test('is not asked for a signature that nobody wants any more', async () => {
    expect(await reportOf('aborted', 'ec')).toEqual([true, 'not wanted any more', true]);
  });

  test('is let go when nobody has a key of it any more', async () => {
    expect(await reportOf('freed', 'ec')).toMatchObject({
      opened: [true, true, true],
      storeKeys: 0,
    });
  });

  test('is let go while nothing else waits for it', async () => {
    expect(await inChild('freed off the loop', 'file')).toEqual({
      end: 0,
      reports: [{ storeKeys: 0 }, true],
    });
  });

  test('finishes for a key that nobody has any more', async () => {
    expect(await reportOf('freed while signing', 'ec')).toEqual({ good: true, again: true });
  });

  test.each(['worker ends while opening', 'worker ends while signing'] as const)(
    'is there for the next one when a %s',
    async (mode) => {
      expect(await inChild(mode, 'rsa')).toEqual({ end: 0, reports: ['terminated', true] });
    },
  );

  // process.exit() waits for libuv's threads, and these for the TPM.
  test.each(['exit while opening', 'exit while signing'] as const)(
    'lets the process leave once it has answered: %s',
    async (mode) => {
      expect(await inChild(mode, 'rsa')).toEqual({ end: 7, reports: ['exits'] });
    },
  );

  test('holds no key under that handle', async () => {
    expect(await reportOf('fault', 'ec', { uri: 'handle:0x81777777' })).toMatchObject({
      code: 'ERR_STORE_UNREADABLE',
      reason: 'store-unreadable',
      message: expect.stringMatching(/"handle:0x81777777" cannot be read\. .*cannot load key/),
    });
  });

  test('whose provider is not named', async () => {
    expect(await faultOf(keys.ec?.uri, { cert: keys.ec?.cert })).toMatchObject({
      code: 'ERR_STORE_UNREADABLE',
      reason: 'store-scheme',
    });
  });

  test('has a key for another certificate', async () => {
    expect(await reportOf('fault', 'ec', { cert: keys.rsa?.cert ?? '' })).toMatchObject({
      code: 'ERR_CREDENTIAL_MISMATCH',
    });
  });

  test('lets the process end with its keys open', async () => {
    expect(await inChild('natural end', 'ec')).toEqual({ end: 0, reports: ['ends'] });
  });

  test('that is pulled out between two signatures', async () => {
    const lost = await startSwtpm();
    const { uri, cert } = await lost.createKey('ecc256', pki.clientCaA);
    const task = { uri, cert, pid: lost.pid };
    const env = { TPM2OPENSSL_TCTI: lost.tcti };
    expect((await inChild('gone', 'ec', task, env)).reports).toEqual([
      { before: true, code: 'ERR_CRYPTO_OPERATION_FAILED', reason: 'store-signature' },
    ]);
    await lost.stop();
  });

  // Last, because the others need it.
  test('that is pulled out before a handshake', async () => {
    const options = { requestCert: 'required', clientCa: pki.clientCasPath } as const;
    await withSServer(options, async ({ port }) => {
      expect(await reportOf('gone in a handshake', 'ec', { port })).toMatchObject({
        code: 'ERR_SIGNER_FAILED',
        cause: { code: 'ERR_CRYPTO_OPERATION_FAILED', reason: 'store-signature' },
      });
    });
    const fault = await reportOf('fault', 'ec');
    expect(fault).toMatchObject({ code: 'ERR_STORE_PROVIDER', reason: 'store-provider' });
    expect(fault.message).toContain('its module was found, and would not start');
  });
});
