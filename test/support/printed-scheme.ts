/** How `s_server` calls the scheme that its client signed under. */
import type { SServer } from './s-server';

/** What it prints of digest and type, and the scheme that it stands for. */
const PRINTED: Readonly<Record<string, string>> = {
  'SHA256 RSA': 'rsa_pkcs1_sha256',
  'SHA384 RSA': 'rsa_pkcs1_sha384',
  'SHA512 RSA': 'rsa_pkcs1_sha512',
  'SHA256 RSA-PSS': 'rsa_pss_(rsae|pss)_sha256',
  'SHA384 RSA-PSS': 'rsa_pss_(rsae|pss)_sha384',
  'SHA512 RSA-PSS': 'rsa_pss_(rsae|pss)_sha512',
  'SHA256 ECDSA': 'ecdsa_secp256r1_sha256',
  'SHA384 ECDSA': 'ecdsa_secp384r1_sha384',
  'SHA512 ECDSA': 'ecdsa_secp521r1_sha512',
};

/** Asserts that the server's first handshake was signed under this scheme. */
export async function expectPrinted(server: SServer, scheme: string): Promise<void> {
  await server.waitFor(/^CIPHER is/m);
  const digest = /^Peer signing digest: (.*)$/m.exec(server.output)?.[1] ?? '';
  const type = /^Peer signature type: (.*)$/m.exec(server.output)?.[1] ?? '';
  // EdDSA, and everything in later versions, is printed by its IANA name.
  expect(scheme).toMatch(new RegExp(`^${PRINTED[`${digest} ${type}`] ?? type}$`));
}
