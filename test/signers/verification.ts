/** How `node:crypto` verifies what was signed under a scheme of TLS. */
import { constants, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';
import type { SignatureScheme } from '../../lib/index';

export function verification(
  scheme: SignatureScheme,
  key: KeyObject,
): { hash: string | null; key: VerifyKeyObjectInput } {
  const hash = /sha\d+$/.exec(scheme)?.[0] ?? null;
  if (!scheme.startsWith('rsa_')) return { hash, key: { key } };
  const pss = scheme.startsWith('rsa_pss_');
  return {
    hash,
    key: {
      key,
      padding: pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING,
      // RFC 8446, section 4.2.3: as long as the hash, and no other length.
      ...(pss && { saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
    },
  };
}
