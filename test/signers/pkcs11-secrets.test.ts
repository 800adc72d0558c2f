/** PINs are not kept, and only the caller says what they are. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openPkcs11, Pkcs11Module } from '../../lib/signers/pkcs11/index';
import { polluted } from '../support/polluted';
import {
  everydayAndCareful,
  PIN,
  REGISTER,
  SOFTHSM,
  type SoftHsm,
  useTypeScriptWorkers,
} from '../support/softhsm';

useTypeScriptWorkers();

let softHsm: SoftHsm;

beforeAll(async () => {
  softHsm = await everydayAndCareful();
}, 60_000);
afterAll(() => softHsm.remove());

const { signal } = new AbortController();

test('a PIN that somebody has put on Object.prototype is presented to no token', async () => {
  const names = { pin: () => PIN, pinValue: PIN, pinSource: '/etc/hostname' };
  await polluted(names, async () => {
    const cards = await Pkcs11Module.load(SOFTHSM);
    const opened = await openPkcs11('pkcs11:object=everyday', { module: SOFTHSM });
    for (const identity of [await cards.identity('pkcs11:object=everyday'), opened.identity]) {
      const signature = identity.key.sign(Buffer.from('data'), 'ecdsa_secp256r1_sha256', {
        signal,
      });
      await expect(signature).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN', reason: 'missing' });
    }
    await opened.module.close();
    await cards.close();
  });
});

test('PINs are in the heap of neither thread when they were presented, right or wrong', async () => {
  const pin = Buffer.from(`a PIN ${randomBytes(8).toString('hex')}`.replaceAll(' ', '-'));
  await softHsm.tool([
    ...['--token-label', 'card', '--login', '--pin', PIN],
    ...['--change-pin', '--new-pin', String(pin)],
  ]);
  const masked = Buffer.from(pin.map((byte) => byte ^ 0xff)).toString('hex');
  const child = join(__dirname, 'children/pin-child.ts');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--require', REGISTER, child, SOFTHSM, masked],
    { env: { ...process.env, ...softHsm.env }, timeout: 60_000 },
  );
  expect(JSON.parse(stdout)).toEqual({
    refused: 'incorrect',
    asked: 3,
    // First what is held on to here, and what is always there.
    here: [true, false, false],
    there: [true, false, false],
  });
}, 70_000);
