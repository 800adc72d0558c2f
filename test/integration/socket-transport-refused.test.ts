/** A TLS 1.3 server refuses a certificate, and is gone, before the first request has been written. */
import { dial, endedBy } from '../support/client';
import { loadPki } from '../support/pki';
import { startPythonServer } from '../support/python-server';

/** Long enough for a server on this machine to answer, and to close. */
const BLOCKED_MS = 100;

const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS);

test('the error is the reason that it gave, not that writing failed', async () => {
  const pki = loadPki();
  const server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCaA.certPath,
    requestCert: 'required',
    postHandshakeOnly: false,
  });
  try {
    const socket = dial(server, { clientCertCallback: async () => null });
    const written: unknown[] = [];
    socket.once('secureConnect', block);
    socket.resume().write('a request, as clients write it before they know', (error) => {
      written.push(error);
    });
    const error = await endedBy(socket);
    expect(error).toMatchObject({
      code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      alert: 'certificate_required',
    });
    expect(written).toEqual([error]);
  } finally {
    await server.stop();
  }
});
