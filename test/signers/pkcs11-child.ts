/** A process of its own for the tests of a PKCS#11 module's thread: how it ends is what counts. */
import { Pkcs11Module } from '../../lib/signers/pkcs11/index';

const [path = '', mode = '', pin = ''] = process.argv.slice(2);

async function main(): Promise<void> {
  const cards = await Pkcs11Module.load(path, {
    pin: () => {
      // Nothing but the signature that waits for it keeps the process alive.
      if (mode === 'prompt') setTimeout(() => answer?.(pin), 100).unref();
      return mode === 'prompt' ? new Promise((resolve) => (answer = resolve)) : pin;
    },
  });
  const identities = await cards.identities();
  const [identity] = identities;
  if (identity === undefined) throw new Error('there is no identity');
  if (mode === 'sign' || mode === 'prompt') {
    const [scheme = 'ed25519'] = identity.key.schemes;
    const { signal } = new AbortController();
    const signature = await identity.key.sign(Buffer.from('data'), scheme, { signal });
    console.log(`signed ${signature.length > 0}`);
  }
  if (mode === 'crowd') {
    for (const { key } of identities) {
      const [scheme = 'ed25519'] = key.schemes;
      const sign = () =>
        key.sign(Buffer.from('data'), scheme, { signal: new AbortController().signal });
      const signatures = await Promise.all(Array.from({ length: 20 }, sign));
      console.log(`signed ${signatures.length} times`);
    }
  }
  if (mode === 'close') await cards.close();
  console.log('idle');
}

let answer: ((pin: string) => void) | undefined;
main().catch((error: { code: string; reason: string; message: string }) => {
  console.log(error.code, error.reason, error.message);
  process.exitCode = 1;
});
