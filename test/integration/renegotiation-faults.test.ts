/** What goes wrong around a request in a renegotiation (TLS 1.2): each ends in one typed error. */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import { types } from 'node:util';
import { type ClientCertAnswer, Credential, SUSPEND, type Suspension } from '../../lib/index';
import { type AnyError, deferred, dial, endedBy, hangUp, secured, within } from '../support/client';
import { type ForgedPeer, ForgingServer } from '../support/forging-server';
import { loadPki } from '../support/pki';
import { ALERT, alert, HANDSHAKE, HELLO_REQUEST } from '../support/records';

const pki = loadPki();
const alice = new Credential(pki.clients.ec256);
const SPENT = expect.objectContaining({ code: 'ERR_SUSPENSION_SPENT' });

let server: ForgingServer;

beforeAll(async () => {
  server = await ForgingServer.start({
    identity: pki.server,
    ca: [pki.clientCaA.cert],
    maxVersion: 'TLSv1.2',
    // A resumed session asks nothing.
    secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
  });
});
afterAll(() => server.close());

/** A connection whose server has asked in a renegotiation, and waits. */
async function asked(waits: 'SUSPEND' | 'a promise') {
  const question = deferred<AbortSignal>();
  const answer = deferred<ClientCertAnswer>();
  const held: Suspension[] = [];
  const socket = dial(server, {
    clientCertCallback: (request, { signal }) => {
      expect(request.phase).toBe('renegotiation');
      question.resolve(signal);
      return waits === 'SUSPEND' ? SUSPEND : answer.promise;
    },
  });
  socket.on('suspend', (suspension: Suspension) => held.push(suspension));
  const events: string[] = [];
  socket.on('error', (error: AnyError) => events.push(`error ${error.code}`));
  socket.on('close', () => events.push('close'));
  socket.resume();
  await secured(socket);
  const peer = server.peers.at(-1) as ForgedPeer;
  const sent = peer.renegotiate();
  const signal = await within('question', question.promise);
  await within('flight', sent);
  // In the middle of an upload, of which nothing may be lost without a word.
  const written = new Promise<unknown>((resolve) => socket.write(Buffer.alloc(64), resolve));
  return {
    socket,
    peer,
    signal,
    events,
    written,
    answer: (credential: ClientCertAnswer) => {
      if (waits === 'SUSPEND') held.at(-1)?.resume(credential);
      else answer.resolve(credential);
    },
  };
}

describe.each(['SUSPEND', 'a promise'] as const)('waiting by %s, the server', (waits) => {
  test.each<[string, (peer: ForgedPeer) => void, object]>([
    [
      'sends close_notify and goes',
      (peer) => {
        peer.inject(ALERT, alert(0));
        peer.fin();
      },
      { code: 'ECONNRESET', message: expect.stringContaining('was not answered yet') },
    ],
    [
      'goes without a word',
      (peer) => peer.fin(),
      { code: 'ECONNRESET', message: expect.stringContaining('was not answered yet') },
    ],
    ['resets', (peer) => peer.reset(), { code: 'ECONNRESET' }],
    [
      'sends a fatal alert and goes',
      (peer) => {
        peer.inject(ALERT, alert(48));
        peer.fin();
      },
      { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', alert: 'unknown_ca' },
    ],
    [
      'asks again, and goes without a word',
      (peer) => {
        peer.inject(HANDSHAKE, HELLO_REQUEST);
        peer.fin();
      },
      { code: 'ECONNRESET', message: expect.stringContaining('was not answered yet') },
    ],
  ])('%s', async (_what, fault, expected) => {
    const it = await asked(waits);
    const failed = endedBy(it.socket);
    fault(it.peer);
    const error = await failed;
    expect(error).toMatchObject(expected);
    expect(it.events).toEqual([`error ${error.code}`, 'close']);
    expect(it.signal.aborted).toBe(true);
    expect(types.isNativeError(it.signal.reason)).toBe(true);
    expect(it.socket.clientAuth.status).toBe('failed');
    expect(types.isNativeError(await within('write callback', it.written))).toBe(true);
    // Nobody was shown.
    expect(error.identity).toBeUndefined();
    if (waits === 'SUSPEND') expect(() => it.answer(alice)).toThrow(SPENT);
    else it.answer(alice);
    await new Promise(setImmediate);
    expect(it.events).toHaveLength(2);
  });

  test('asks again, which means nothing: the answer goes through, and data behind it', async () => {
    const it = await asked(waits);
    it.peer.inject(HANDSHAKE, HELLO_REQUEST);
    it.peer.inject(HANDSHAKE, HELLO_REQUEST);
    const heard = once(it.peer.socket, 'data');
    it.answer(alice);
    expect((await within('data', heard))[0]).toEqual(Buffer.alloc(64));
    expect(await within('write callback', it.written)).toBeFalsy();
    expect(it.peer.socket.getPeerX509Certificate()?.raw).toEqual(alice.certificate.raw);
    expect(it.socket.clientAuth).toMatchObject({ status: 'sent', credential: alice });
    expect(it.events).toEqual([]);
    await hangUp(it.socket);
  });
});
