/** Whether all connections go over the stream here (`stream-only.ts`). */
export const STREAM_ALONE = process.env.TLS_CLIENT_CERT_TEST_TRANSPORT === 'stream';

/**
 * Where the tests run over the stream alone (`stream-only.ts`), there is nothing to say about descriptors;
 * nor is there where nobody tells of them.
 */
export const overDescriptors =
  process.platform === 'linux' && !STREAM_ALONE ? describe : describe.skip;
