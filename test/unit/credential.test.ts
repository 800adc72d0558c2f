/** A credential's inputs: every form that is read, and every fault named after its input. */
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, createSecretKey, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { Credential, type CredentialOptions } from '../../lib/index';
import { OPENSSL, opensslEnvironment } from '../support/openssl';
import { loadPki } from '../support/pki';

const pki = loadPki();
const { ec256, rsa } = pki.clients;
const { encodings } = pki;

function faultOf(options: unknown): { code: string; input?: string; message: string } {
  try {
    new Credential(options as CredentialOptions);
  } catch (error) {
    return error as { code: string; input?: string; message: string };
  }
  throw new Error('no error was thrown');
}

/** Standard output of `openssl`. */
function run(...args: string[]): Buffer {
  return execFileSync(OPENSSL, args, { env: opensslEnvironment(), stdio: 'pipe' });
}

describe('what a credential is read from', () => {
  const { subject } = ec256;
  const forms: Record<string, CredentialOptions> = {
    'PEM text': { cert: ec256.cert, key: ec256.key },
    'PEM bytes': { cert: Buffer.from(ec256.cert), key: new Uint8Array(Buffer.from(ec256.key)) },
    'DER bytes': { cert: encodings.certDer, key: encodings.keyDer },
    'a DataView of DER': {
      cert: new DataView(
        encodings.certDer.buffer,
        encodings.certDer.byteOffset,
        encodings.certDer.length,
      ),
      key: encodings.keyDer,
    },
    'parsed objects': { cert: new X509Certificate(ec256.cert), key: createPrivateKey(ec256.key) },
    'encrypted PKCS#8 PEM': {
      cert: ec256.cert,
      key: encodings.encryptedPkcs8Pem,
      passphrase: encodings.passphrase,
    },
    'encrypted PKCS#8 DER': {
      cert: ec256.cert,
      key: encodings.encryptedPkcs8Der,
      passphrase: Buffer.from(encodings.passphrase),
    },
    'encrypted traditional PEM': {
      cert: ec256.cert,
      key: encodings.encryptedTraditionalPem,
      passphrase: encodings.passphrase,
    },
    'one PEM text for certificate and key': {
      cert: ec256.key + ec256.cert,
      key: ec256.cert + ec256.key,
    },
  };

  it.each(Object.keys(forms))('%s', (name) => {
    const credential = new Credential(forms[name] as CredentialOptions);
    expect(credential.subject).toBe(subject);
    expect(credential.chain).toEqual([]);
    expect(credential.keyType).toBe('ec');
  });

  it('a chain behind the leaf in PEM, and more in `chain`, in that order', () => {
    const { deepClient, intermediateA, intermediateA2, clientCaA } = pki;
    const credential = new Credential({
      cert: deepClient.cert + intermediateA2.cert,
      chain: [new X509Certificate(intermediateA.cert), clientCaA.cert],
      key: deepClient.key,
    });
    expect(credential.chain.map(({ raw }) => raw)).toEqual(
      [intermediateA2, intermediateA, clientCaA].map(({ cert }) => new X509Certificate(cert).raw),
    );
  });

  it('PFX: its chain in order and without the root', () => {
    const credential = new Credential({ pfx: encodings.pfx, passphrase: encodings.passphrase });
    expect(credential.chain.map(({ raw }) => raw)).toEqual(
      [pki.intermediateA2, pki.intermediateA].map(({ cert }) => new X509Certificate(cert).raw),
    );
  });

  it('PFX without a passphrase', () => {
    const credential = new Credential({ pfx: encodings.pfxWithoutPassphrase });
    expect(credential.keyType).toBe('rsa');
  });

  it('the same object when it is a credential already', () => {
    const credential = new Credential({ cert: ec256.cert, key: ec256.key });
    expect(Credential.from(credential)).toBe(credential);
  });
});

describe('what is wrong is said, and in which input', () => {
  const cases: [name: string, options: unknown, code: string, input: string | undefined][] = [
    ['no certificate in cert', { cert: 'x', key: ec256.key }, 'ERR_CREDENTIAL_INVALID', 'cert'],
    ['a key in cert', { cert: ec256.key, key: ec256.key }, 'ERR_CREDENTIAL_INVALID', 'cert'],
    ['an empty cert', { cert: '', key: ec256.key }, 'ERR_CREDENTIAL_INVALID', 'cert'],
    [
      'DER with bytes behind it',
      { cert: Buffer.concat([encodings.certDer, Buffer.of(0)]), key: ec256.key },
      'ERR_CREDENTIAL_INVALID',
      'cert',
    ],
    [
      'a damaged certificate behind a good one',
      { cert: ec256.cert + ec256.cert.replace('MII', 'MIX'), key: ec256.key },
      'ERR_CREDENTIAL_INVALID',
      'cert',
    ],
    [
      'nothing in chain[1]',
      { cert: ec256.cert, chain: [pki.clientCaA.cert, 'x'], key: ec256.key },
      'ERR_CREDENTIAL_INVALID',
      'chain[1]',
    ],
    ['no key in key', { cert: ec256.cert, key: ec256.cert }, 'ERR_CREDENTIAL_INVALID', 'key'],
    [
      'an encrypted key and no passphrase',
      { cert: ec256.cert, key: encodings.encryptedPkcs8Pem },
      'ERR_CREDENTIAL_PASSPHRASE',
      'key',
    ],
    [
      'an encrypted DER key and no passphrase',
      { cert: ec256.cert, key: encodings.encryptedPkcs8Der },
      'ERR_CREDENTIAL_PASSPHRASE',
      'key',
    ],
    [
      'a wrong passphrase',
      { cert: ec256.cert, key: encodings.encryptedPkcs8Pem, passphrase: 'hunter2' },
      'ERR_CREDENTIAL_PASSPHRASE',
      'key',
    ],
    [
      'a wrong passphrase of a traditional key',
      { cert: ec256.cert, key: encodings.encryptedTraditionalPem, passphrase: 'hunter2' },
      'ERR_CREDENTIAL_PASSPHRASE',
      'key',
    ],
    [
      'a key of another certificate',
      { cert: ec256.cert, key: pki.otherEcClient.key },
      'ERR_CREDENTIAL_MISMATCH',
      'key',
    ],
    ['a key of another type', { cert: ec256.cert, key: rsa.key }, 'ERR_CREDENTIAL_MISMATCH', 'key'],
    ['no PFX in pfx', { pfx: encodings.certDer }, 'ERR_CREDENTIAL_INVALID', 'pfx'],
    [
      'a wrong passphrase of a PFX',
      { pfx: encodings.pfx, passphrase: 'hunter2' },
      'ERR_CREDENTIAL_PASSPHRASE',
      'pfx',
    ],
    ['a PFX and no passphrase', { pfx: encodings.pfx }, 'ERR_CREDENTIAL_PASSPHRASE', 'pfx'],
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE', undefined],
    ['a number for cert', { cert: 1, key: ec256.key }, 'ERR_INVALID_ARG_TYPE', undefined],
    ['no key', { cert: ec256.cert }, 'ERR_INVALID_ARG_TYPE', undefined],
    ['text for pfx', { pfx: 'text' }, 'ERR_INVALID_ARG_TYPE', undefined],
    [
      'a number for passphrase',
      { cert: ec256.cert, key: ec256.key, passphrase: 1 },
      'ERR_INVALID_ARG_TYPE',
      undefined,
    ],
    [
      'a public key',
      { cert: ec256.cert, key: createPublicKey(ec256.cert) },
      'ERR_INVALID_ARG_VALUE',
      undefined,
    ],
    [
      'a secret key',
      { cert: ec256.cert, key: createSecretKey(Buffer.alloc(8)) },
      'ERR_INVALID_ARG_VALUE',
      undefined,
    ],
    [
      'both cert and pfx',
      { cert: ec256.cert, key: ec256.key, pfx: encodings.pfx },
      'ERR_INVALID_ARG_VALUE',
      undefined,
    ],
  ];

  it.each(cases)('%s', (_name, options, code, input) => {
    const fault = faultOf(options);
    expect({ code: fault.code, input: fault.input }).toEqual({ code, input });
    if (input !== undefined) expect(fault.message).toContain(input);
  });

  it('a PFX in RC2, which OpenSSL 3 has put aside, with the way out', () => {
    const args = [
      'pkcs12',
      '-export',
      '-legacy',
      '-certpbe',
      'PBE-SHA1-RC2-40',
      '-passout',
      'pass:x',
    ];
    args.push('-in', ec256.certPath, '-inkey', ec256.keyPath);
    const pfx = run(...args);
    const fault = faultOf({ pfx, passphrase: 'x' });
    expect(fault).toMatchObject({ code: 'ERR_CREDENTIAL_INVALID', reason: 'pfx-unsupported' });
    expect(fault.message).toContain('openssl pkcs12 -legacy');
  });

  it.each([
    ['PBE-SHA1-RC2-40, PEM', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-RC2-40']],
    ['PBE-MD5-DES, DER', ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES', '-outform', 'DER']],
    ['DES, traditional PEM', ['ec', '-des']],
  ])('a key in %s, which no passphrase opens here, with the way out', (_name, how) => {
    const legacy = ['-provider', 'legacy', '-provider', 'default'];
    const key = run(...how, '-in', ec256.keyPath, '-passout', 'pass:right', ...legacy);
    for (const passphrase of ['right', 'wrong']) {
      const fault = faultOf({ cert: ec256.cert, key, passphrase });
      expect(fault).toMatchObject({
        code: 'ERR_CREDENTIAL_INVALID',
        reason: 'key-unsupported',
        input: 'key',
      });
      expect(fault.message).toContain('openssl pkey -provider legacy');
    }
    expect(faultOf({ cert: ec256.cert, key })).toMatchObject({
      code: 'ERR_CREDENTIAL_PASSPHRASE',
      reason: 'key-passphrase-missing',
    });
  });

  it.each(['whirlpool', 'md4'])('a PFX with a MAC by %s', (digest) => {
    const pfx = run(
      ...['pkcs12', '-export', '-legacy', '-macalg', digest, '-passout', 'pass:right'],
      ...['-in', ec256.certPath, '-inkey', ec256.keyPath],
    );
    for (const passphrase of ['right', 'wrong', undefined]) {
      expect(faultOf({ pfx, passphrase })).toMatchObject({
        code: 'ERR_CREDENTIAL_INVALID',
        reason: 'pfx-unsupported',
        input: 'pfx',
      });
    }
  });

  it('a passphrase that is missing is told from one that is wrong', () => {
    expect(faultOf({ pfx: encodings.pfx })).toMatchObject({ reason: 'pfx-passphrase-missing' });
    expect(faultOf({ pfx: encodings.pfx, passphrase: 'hunter2' })).toMatchObject({
      reason: 'pfx-passphrase-wrong',
    });
  });

  it('a PFX cut short', () => {
    const fault = faultOf({ pfx: encodings.pfx.subarray(0, 40), passphrase: 'x' });
    expect(fault).toMatchObject({ code: 'ERR_CREDENTIAL_INVALID', input: 'pfx' });
  });
});

describe('secrets', () => {
  it('are in no error', () => {
    const fault = faultOf({
      cert: ec256.cert,
      key: encodings.encryptedPkcs8Pem,
      passphrase: 'hunter2',
    });
    expect(inspect(fault, { depth: 9, showHidden: true })).not.toContain('hunter2');
    expect(faultOf({ cert: ec256.cert, key: 12345 }).message).not.toContain('12345');
  });

  it('are in nothing that inspects a credential', () => {
    const credential = new Credential({ cert: ec256.cert, key: ec256.key });
    const shown = inspect(credential, { depth: 9, showHidden: true, getters: true });
    expect(shown).not.toContain('PRIVATE');
    expect(JSON.stringify(credential)).not.toContain('PRIVATE');
  });

  it('do not keep inspect() from telling whose it is', () => {
    const credential = new Credential({ cert: ec256.cert, key: ec256.key });
    expect(inspect(credential)).toBe(`Credential <${ec256.subject}, ec, 0 intermediate(s)>`);
  });

  it('leave what the caller passed untouched', () => {
    const key = Buffer.from(ec256.key);
    const passphrase = Buffer.from(encodings.passphrase);
    new Credential({ cert: ec256.cert, key });
    new Credential({ cert: ec256.cert, key: encodings.encryptedPkcs8Pem, passphrase });
    expect(key.toString()).toBe(ec256.key);
    expect(passphrase.toString()).toBe(encodings.passphrase);
  });
});
