/**
 * Where the tests run over the stream alone (`stream-only.ts`), there is nothing to say about descriptors;
 * nor is there where nobody tells of them.
 */
export const overDescriptors =
  process.platform === 'linux' && process.env.TLS_CLIENT_CERT_TEST_TRANSPORT !== 'stream'
    ? describe
    : describe.skip;
