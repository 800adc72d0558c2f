/** Secrets that are not typed in: how they are read, and that a card's last try is a person's to use. */
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

/** Of a `--pin-file` with these contents. */
function secretsOf(contents: string | Buffer) {
  const folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-secrets-'));
  const file = join(folder, 'pin');
  writeFileSync(file, contents);
  try {
    return secretsFrom({ pinFile: file }, { terminal: new Terminal(), signal });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('what Windows puts before UTF-8 is no part of a PIN', () => {
  expect(secretsOf('\ufeffgeheim-é\r\n').pin?.(request('many'))).toBe('geheim-é');
});

test.each([
  ['little-endian', (text: Buffer) => text],
  ['big-endian', (text: Buffer) => text.swap16()],
])('UTF-16, %s, is refused', (_order, written) => {
  const text = written(Buffer.from('\ufeff1234\r\n', 'utf16le'));
  expect(() => secretsOf(text)).toThrow(
    expect.objectContaining({
      code: 'CLI_USAGE',
      message: expect.stringMatching(/^--pin-file \S+ is written in UTF-16\. Save it as UTF-8\.$/),
    }),
  );
});

test('a PIN from a file is not used for the last try', () => {
  const { pin } = secretsOf('1234\nmore');
  expect(pin?.(request('few'))).toBe('1234');
  expect(() => pin?.(request('last'))).toThrow(
    expect.objectContaining({
      code: 'ERR_PKCS11_PIN',
      message: expect.stringMatching(/^One more wrong PIN locks "card": .*type it in\.$/),
    }),
  );
});
