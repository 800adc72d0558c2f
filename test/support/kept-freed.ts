/**
 * How many bytes of freed memory are kept: what AddressSanitizer's quarantine holds (`npm run test:asan`), else
 * none. Whoever bounds the RSS has to allow for it.
 */
export const KEPT_FREED = Number(process.env.TLS_CLIENT_CERT_TEST_KEPT_FREED ?? 0);
