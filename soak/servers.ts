/**
 * The servers' process. It leads a process group of its own: Ctrl-C at a terminal is for the client, who
 * has to end what is under way.
 */
import { loadPki } from '../test/support/pki';
import { startPythonServer } from '../test/support/python-server';
import type { Ports } from './messages';
import { listenForCommands } from './servers/commands';
import { resetHellos, resetQuestions } from './servers/resets';
import { listenForRequests } from './servers/web';

async function start(folder: string): Promise<Ports> {
  const pki = loadPki(folder);
  const options = {
    key: pki.server.key,
    cert: pki.server.cert,
    ca: [pki.clientCaA.cert, pki.clientCaB.cert],
    requestCert: true,
    // It says whom it saw, and the client knows whom that should be.
    rejectUnauthorized: false,
  };
  const later = await startPythonServer({ identity: pki.server, clientCa: pki.clientCasPath });
  process.once('disconnect', () => void later.stop().then(() => process.exit()));
  return {
    commands: {
      'TLSv1.2': await listenForCommands({ ...options, maxVersion: 'TLSv1.2' }),
      'TLSv1.3': await listenForCommands({ ...options, minVersion: 'TLSv1.3' }),
    },
    https: await listenForRequests(options),
    resetsHello: await resetHellos(),
    resetsQuestion: await resetQuestions(options),
    later: later.port,
  };
}

process.once('message', async (folder: string) => {
  process.send?.(await start(folder));
});
