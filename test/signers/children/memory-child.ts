/** Signs with a store's key, and there is no memory for the signature; see failing-new.c. */
import { Credential, type SignatureScheme, type Signer } from '../../../lib/index';

async function main(uri: string, size: string): Promise<void> {
  const signer = Credential.signerOf(await Credential.fromStore(uri)) as Signer;
  const scheme = signer.schemes?.[0] as SignatureScheme;
  const sign = () =>
    Promise.resolve(
      signer.sign(Buffer.from('data'), scheme, { signal: new AbortController().signal }),
    ).then(
      ({ length }) => console.log(`signed: ${length}`),
      (error: Error) => console.log(`failed: ${error.message}`),
    );
  await sign();
  process.env.FAILING_NEW = size;
  await sign();
  await sign();
}

const [uri = '', size = ''] = process.argv.slice(2);
void main(uri, size);
