/** What has to be the same on both sides of a comparison; the C programs have it in `NewContext`. */
export const PARAMETERS = {
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_256_GCM_SHA384',
  ecdhCurve: 'X25519',
} as const;
