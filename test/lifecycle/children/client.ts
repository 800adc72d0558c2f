/** What the children connect with. The server's ports come from the parent. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions } from '../../../lib/index';

const text = (file: string) => readFileSync(join(process.env.TCC_TEST_PKI ?? '', file), 'utf8');

export const credential = { cert: text('client-ec256.crt'), key: text('client-ec256.key') };

export function to(port: number): ConnectionOptions {
  return { port, host: '127.0.0.1', servername: 'localhost', ca: text('server-ca.crt') };
}
