/** Starts real Mosquitto brokers that take a client's certificate for its name. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverFiles } from './server-files';
import { type ServerProcess, startServerProcess } from './server-process';

/** Everybody may use the topics below the common name of the own certificate, and nothing else. */
export function startMosquitto(): Promise<ServerProcess> {
  return startServerProcess({
    name: 'mosquitto',
    program: 'mosquitto',
    debianPackage: 'mosquitto',
    ready: /mosquitto version \S+ running/,
    prepare: async (folder, port) => {
      const files = await serverFiles(folder, 'mosquitto');
      await writeFile(join(folder, 'acl'), 'pattern readwrite of/%u/#\n');
      await writeFile(
        join(folder, 'mosquitto.conf'),
        `
listener ${port} 127.0.0.1
certfile ${files.cert}
keyfile ${files.key}
cafile ${files.clientCas}
require_certificate true
use_identity_as_username true
acl_file ${join(folder, 'acl')}
log_dest stderr
log_type all
`,
      );
      return ['-c', join(folder, 'mosquitto.conf')];
    },
  });
}
