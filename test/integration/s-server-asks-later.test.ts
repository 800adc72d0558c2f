/** openssl s_server asks after the handshake (`c`): whom it says it saw is what counts. */
import { Credential, SUSPEND } from '../../lib/index';
import {
  credentialOf,
  dial,
  hangUp,
  later,
  pemsOf,
  secured,
  within,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';

const pki = loadPki();
const alice = new Credential(pki.clients.ec256);
const deep = new Credential(credentialOf(pki.deepClient));
// It asks by itself only when told to verify; here it does when `c` is typed.
const server13 = {
  protocol: 'TLSv1.3',
  requestCert: 'no',
  clientCa: pki.clientCaA.certPath,
} as const;

const subjects = (chain: readonly { subject: string }[]) =>
  chain.map(({ subject }) => /CN=([^\n]*)/.exec(subject)?.[1]);

test.each([
  ['at once', () => deep],
  ['by a promise', () => later(deep, 50)],
  ['after SUSPEND', () => SUSPEND],
])('one request, answered %s with a chain', async (_how, answer) => {
  await withSServer(server13, async (server) => {
    const phases: string[] = [];
    const socket = dial(server, {
      clientCertCallback: (request) => {
        phases.push(request.phase);
        return answer();
      },
    });
    socket.on('suspend', (suspension) => setTimeout(() => suspension.resume(deep), 20));
    await secured(socket.resume());
    await server.sawClient();
    expect(socket.clientAuth.status).toBe('not-requested');
    server.type('c');
    const seen = await server.clientChain();
    expect(pemsOf(seen)).toEqual(pemsOf([deep.certificate, ...deep.chain]));
    // Depth 3 is the root, which only s_server has.
    await server.waitFor(/^depth=3 .*\nverify return:1$/m);
    const from = server.output.length;
    socket.write('still here\n');
    await server.waitFor('still here', 5_000, from);
    expect(phases).toEqual(['post-handshake']);
    expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
    await hangUp(socket);
  });
});

test.each([
  ['the first certificate stays', false, ['client ec256', 'client ec256', 'client ec256'], 1],
  ['each may be another', true, ['client ec256', 'client deep', 'client ec256'], 3],
])('three requests: %s', async (_what, reselectClientCert, expected, questions) => {
  await withSServer(server13, async (server) => {
    let asked = 0;
    const socket = dial(server, {
      reselectClientCert,
      clientCertCallback: () => later(asked++ % 2 === 0 ? alice : deep, 5),
    });
    await secured(socket.resume());
    await server.sawClient();
    const leaves: (string | undefined)[] = [];
    for (let nth = 1; nth <= 3; nth++) {
      server.type('c');
      leaves.push(subjects(await server.clientChain(nth))[0]);
      const from = server.output.length;
      socket.write(`after ${nth}\n`);
      await server.waitFor(`after ${nth}`, 5_000, from);
    }
    expect(leaves).toEqual(expected);
    expect(asked).toBe(questions);
    await hangUp(socket);
  });
});

test('a refused certificate: the alert and whom it refuses', async () => {
  await withSServer(server13, async (server) => {
    const stranger = new Credential(credentialOf(pki.clientB));
    const socket = dial(server, { clientCertCallback: () => stranger });
    await secured(socket.resume());
    await server.sawClient();
    const failed = new Promise<unknown>((resolve) => socket.once('error', resolve));
    server.type('c');
    expect(await within('error', failed)).toMatchObject({
      alert: 'unknown_ca',
      identity: stranger.subject,
      message: expect.stringContaining(stranger.subject),
    });
  });
});
