/**
 * Signature schemes by their IANA names ("TLS SignatureScheme"; RFC 8446, section 4.2.3).
 */
const SIGNATURE_SCHEMES = {
  rsa_pkcs1_sha1: 0x0201,
  ecdsa_sha1: 0x0203,
  rsa_pkcs1_sha256: 0x0401,
  ecdsa_secp256r1_sha256: 0x0403,
  rsa_pkcs1_sha384: 0x0501,
  ecdsa_secp384r1_sha384: 0x0503,
  rsa_pkcs1_sha512: 0x0601,
  ecdsa_secp521r1_sha512: 0x0603,
  rsa_pss_rsae_sha256: 0x0804,
  rsa_pss_rsae_sha384: 0x0805,
  rsa_pss_rsae_sha512: 0x0806,
  ed25519: 0x0807,
  ed448: 0x0808,
  rsa_pss_pss_sha256: 0x0809,
  rsa_pss_pss_sha384: 0x080a,
  rsa_pss_pss_sha512: 0x080b,
  ecdsa_brainpoolP256r1tls13_sha256: 0x081a,
  ecdsa_brainpoolP384r1tls13_sha384: 0x081b,
  ecdsa_brainpoolP512r1tls13_sha512: 0x081c,
  mldsa44: 0x0904,
  mldsa65: 0x0905,
  mldsa87: 0x0906,
} as const;

/**
 * A signature scheme by its IANA name. On TLS 1.2 the name of an ECDSA scheme says only which hash is
 * used; the curve is the key's (RFC 8446, section 4.2.3).
 */
export type SignatureScheme = keyof typeof SIGNATURE_SCHEMES;

const NAMES = new Map(
  Object.entries(SIGNATURE_SCHEMES).map(([name, number]) => [number as number, name]),
);

/** The IANA name, or the code point as `0x` and four digits where there is none. */
export function signatureSchemeName(scheme: number): string {
  return NAMES.get(scheme) ?? `0x${scheme.toString(16).padStart(4, '0')}`;
}

/** Those that every OpenSSL 3 knows by these names, less SHA-1's. */
export const OFFERED_SCHEMES: readonly SignatureScheme[] = [
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp521r1_sha512',
  'ed25519',
  'ed448',
  'rsa_pss_pss_sha256',
  'rsa_pss_pss_sha384',
  'rsa_pss_pss_sha512',
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
  'rsa_pkcs1_sha256',
  'rsa_pkcs1_sha384',
  'rsa_pkcs1_sha512',
];

/** The code point. */
export function signatureSchemeNumber(scheme: SignatureScheme): number {
  return SIGNATURE_SCHEMES[scheme];
}

export function isSignatureScheme(value: unknown): value is SignatureScheme {
  return typeof value === 'string' && Object.hasOwn(SIGNATURE_SCHEMES, value);
}

/** Whether a CertificateVerify of TLS 1.3 may be signed under it (RFC 8446, section 4.2.3). */
export function isTLS13Scheme(scheme: SignatureScheme): boolean {
  return !scheme.startsWith('rsa_pkcs1_') && scheme !== 'ecdsa_sha1';
}
