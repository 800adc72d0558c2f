/** A card's last try is a person's to use. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { secretsFrom } from '../../lib/cli/secret-options';
import { Terminal } from '../../lib/cli/terminal';
import type { PinRequest } from '../../lib/signers/pkcs11/pin';

const { signal } = new AbortController();

/** What SoftHSM never says of a token. */
const request = (triesLeft: PinRequest['triesLeft']) =>
  ({ token: { label: 'card' }, triesLeft, purpose: 'login', label: 'mine', signal }) as PinRequest;

test('a PIN from a file is not used for the last try', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-secrets-'));
  const file = join(folder, 'pin');
  writeFileSync(file, '1234\nmore');
  const { pin } = secretsFrom({ pinFile: file }, { terminal: new Terminal(), signal });
  rmSync(folder, { recursive: true });
  expect(pin?.(request('few'))).toBe('1234');
  expect(() => pin?.(request('last'))).toThrow(
    expect.objectContaining({
      code: 'ERR_PKCS11_PIN',
      message: expect.stringMatching(/^One more wrong PIN locks "card": .*type it in\.$/),
    }),
  );
});
