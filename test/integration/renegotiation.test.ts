/** TLS 1.2 renegotiation: begun by the server or by us, with and without a request. */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import tls, { type TLSSocket as NodeTLSSocket } from 'node:tls';
import { type ConnectionOptions, Credential, type TLSSocket } from '../../lib/index';
import {
  deferred,
  dial,
  endedBy,
  hangUp,
  later,
  secured,
  within,
  withSServer,
} from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const alice = new Credential(pki.clients.ec256);
const bob = new Credential(pki.clients.rsa);
const server12 = {
  protocol: 'TLSv1.2',
  requestCert: 'no',
  clientCa: pki.clientCaA.certPath,
  args: ['-no_resumption_on_reneg'],
} as const;

async function withNodeServer(
  options: Partial<Parameters<typeof startNodeServer>[0]>,
  use: (server: NodeServer) => Promise<void>,
): Promise<void> {
  const server = await startNodeServer({
    identity: pki.server,
    ca: [pki.clientCaA.cert],
    maxVersion: 'TLSv1.2',
    requestCert: false,
    // A resumed session asks nothing.
    secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
    ...options,
  });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

/** An open connection, and the server's end of it. */
async function pair(server: NodeServer, options: ConnectionOptions) {
  const socket = dial(server, options);
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  await within('secureConnect', once(socket, 'secureConnect'));
  const { socket: peer } = await server.sawClient();
  return { socket: socket.resume(), peer, errors };
}

/** Has the server renegotiate, and tells whom it saw then. */
async function renegotiated(peer: NodeTLSSocket, requestCert: boolean): Promise<string> {
  const done = deferred<Error | null>();
  peer.renegotiate({ requestCert, rejectUnauthorized: false }, (error) => done.resolve(error));
  expect(await within('renegotiation', done.promise)).toBe(null);
  return (peer.getPeerCertificate().subject as { CN?: string } | undefined)?.CN ?? 'nobody';
}

/** Node's servers do not take the ticket of a renegotiation. */
function keepSessions({ server }: NodeServer): void {
  const kept = new Map<string, Buffer>();
  server.on('newSession', (id: Buffer, session: Buffer, done: () => void) => {
    kept.set(id.toString('hex'), session);
    done();
  });
  server.on('resumeSession', (id: Buffer, done: (error: null, session?: Buffer) => void) => {
    done(null, kept.get(id.toString('hex')));
  });
}

async function echoed(socket: TLSSocket, words: string): Promise<void> {
  const heard = within('echo', once(socket, 'data'));
  socket.write(words);
  expect(String((await heard)[0])).toBe(words);
}

describe('a server that renegotiates', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test.each(['late', 'after end()'])('asks in the middle, and is answered %s', async (when) => {
    await withSServer(server12, async (server) => {
      const asked = deferred<string>();
      const answer = deferred<Credential>();
      const socket = dial(server, {
        clientCertCallback: (request) => {
          asked.resolve(request.phase);
          return answer.promise;
        },
      });
      await secured(socket);
      expect(socket.clientAuth.status).toBe('not-requested');
      await server.sawClient();
      server.type('R');
      expect(await within('question', asked.promise)).toBe('renegotiation');
      expect(socket.clientAuth.status).toBe('pending');
      const seen = server.output.length;
      if (when === 'after end()') {
        const closed = once(socket, 'close');
        socket.resume().end();
        answer.resolve(alice);
        expect((await within('close', closed))[0]).toBe(false);
        await server.waitFor(/close_notify/, 5_000, seen);
      } else {
        answer.resolve(alice);
        socket.write('still here\n');
        await server.waitFor('still here', 5_000, seen);
        socket.destroy();
      }
      expect((await server.clientChain())[0]?.subject).toContain('ec256');
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: alice });
    });
  });

  it('and does not ask is followed by an abbreviated handshake, which changes nothing', async () => {
    await withSServer({ protocol: 'TLSv1.2' }, async (server) => {
      let asked = 0;
      const socket = dial(server, {
        clientCertCallback: () => {
          asked++;
          return alice;
        },
      });
      await secured(socket.resume());
      await server.sawClient();
      expect(socket.isSessionReused()).toBe(false);
      const seen = server.output.length;
      server.type('r');
      // Both sides finish without a certificate between them.
      await server.waitFor(/<<<.*Handshake.*Finished/, 5_000, seen);
      socket.write('still here\n');
      await server.waitFor('still here', 5_000, seen);
      expect(server.output.slice(seen)).not.toMatch(/Certificate$/m);
      expect(asked).toBe(1);
      expect(socket.isSessionReused()).toBe(true);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: alice });
      await hangUp(socket);
    });
  });

  it('in full and does not ask knows no certificate any more', async () => {
    await withSServer({ ...server12, requestCert: 'no' }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => alice });
      await secured(socket.resume());
      await server.sawClient();
      server.type('R');
      await server.clientChain();
      let seen = server.output.length;
      socket.write('asked\n');
      await server.waitFor('asked', 5_000, seen);
      expect(socket.clientAuth.status).toBe('sent');
      seen = server.output.length;
      // s_server asks once in a connection: this handshake is a full one without a request.
      server.type('r');
      await server.waitFor(/<<<.*Handshake.*Finished/, 5_000, seen);
      socket.write('not asked\n');
      await server.waitFor('not asked', 5_000, seen);
      expect(socket.clientAuth.status).toBe('not-requested');
      await hangUp(socket);
    });
  });

  it.each([
    ['by default the certificate stays', false, 1, ['alice', 'alice']],
    ['with reselectClientCert every request is a question', true, 2, ['alice', 'bob']],
  ])('twice: %s', async (_what, reselectClientCert, questions, seen) => {
    const names = new Map([
      ['alice', alice],
      ['bob', bob],
    ]);
    // Node's server counts its own, each twice.
    jest.replaceProperty(tls, 'CLIENT_RENEG_LIMIT', 10);
    const subjects = { alice: 'ec256', bob: 'rsa' };
    await withNodeServer({}, async (server) => {
      const phases: string[] = [];
      const { socket, peer } = await pair(server, {
        reselectClientCert,
        clientCertCallback: (request) => {
          phases.push(`${request.phase} ${request.attempt}`);
          return later(names.get(phases.length === 1 ? 'alice' : 'bob'), 5);
        },
      });
      for (const name of seen as (keyof typeof subjects)[]) {
        expect(await renegotiated(peer, true)).toContain(subjects[name]);
        expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: names.get(name) });
        await echoed(socket, `as ${name}`);
      }
      expect(phases).toEqual(Array(questions).fill('renegotiation 1'));
      await hangUp(socket);
    });
  });

  it('and no longer asks knows nobody, in what is resumed of it as well', async () => {
    await withNodeServer({ requestCert: true }, async (server) => {
      keepSessions(server);
      const options = { clientCertCallback: () => alice, requireClientCert: true };
      const { socket, peer } = await pair(server, options);
      const sessions: Buffer[] = [];
      socket.on('session', (session) => sessions.push(session));
      expect(await renegotiated(peer, false)).toBe('nobody');
      await echoed(socket, 'words');
      const [session] = sessions;
      expect(session).toEqual(socket.getSession());
      await hangUp(socket);

      const known = { ...options, session, sessionCredential: alice };
      const again = await secured(dial(server, known));
      expect((await server.sawClient(2)).subject).toContain('ec256');
      expect(again.clientAuth.status).toBe('sent');
      await hangUp(again);
    });
  });

  it('for ever is stopped', async () => {
    await withNodeServer({}, async (server) => {
      const { socket, peer } = await pair(server, { clientCertCallback: () => alice });
      const ended = endedBy(socket);
      let times = 0;
      const again = () => {
        times++;
        peer.renegotiate({ requestCert: true, rejectUnauthorized: false }, again);
      };
      again();
      const error = await ended;
      expect(error.code).toBe('ERR_TLS_SESSION_ATTACK');
      expect(error.message).toContain('CLIENT_RENEG_LIMIT');
      expect(times).toBe(tls.CLIENT_RENEG_LIMIT + 1);
    });
  });

  it.each(['CLIENT_RENEG_WINDOW', 'CLIENT_RENEG_LIMIT'] as const)(
    'is stopped by limits as people write them: %s = Infinity',
    async (name) => {
      jest.replaceProperty(tls, name, Number.POSITIVE_INFINITY);
      await withNodeServer({}, async (server) => {
        const { socket, peer, errors } = await pair(server, { clientCertCallback: () => alice });
        let times = 0;
        const enough = deferred();
        const again = () => {
          times++;
          if (times === 5 || peer.destroyed) enough.resolve();
          else peer.renegotiate({ requestCert: true, rejectUnauthorized: false }, again);
        };
        socket.once('close', () => enough.resolve());
        // Node's own server gives up as well, unless it knows no limit.
        again();
        await within('enough', enough.promise);
        const codes = errors.map((error) => (error as NodeJS.ErrnoException).code);
        if (name === 'CLIENT_RENEG_LIMIT') expect(codes).toEqual([]);
        else expect(codes).toEqual(['ERR_TLS_SESSION_ATTACK']);
        await hangUp(socket);
      });
    },
  );

  it('and closes before it is done fails whatever waits for that', async () => {
    await withNodeServer({}, async (server) => {
      const { socket, peer } = await pair(server, { clientCertCallback: () => alice });
      const ended = endedBy(socket);
      peer.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {});
      peer.destroySoon();
      const wrote = new Promise((resolve) => socket.write('into the void', resolve));
      expect((await ended).code).toBe('ECONNRESET');
      await within('write callback', wrote);
    });
  });

  it('after disableRenegotiation() fails the connection, before anything is asked', async () => {
    await withNodeServer({}, async (server) => {
      let asked = 0;
      const { socket, peer } = await pair(server, {
        clientCertCallback: () => {
          asked++;
          return alice;
        },
      });
      socket.disableRenegotiation();
      await echoed(socket, 'nothing changes by itself');
      const ended = endedBy(socket);
      const peerEnded = within('the server to be told', once(peer, 'error'));
      peer.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {});
      expect((await ended).code).toBe('ERR_TLS_RENEGOTIATION_DISABLED');
      // The server hears the alert no_renegotiation.
      expect((await peerEnded)[0]).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' });
      expect(asked).toBe(0);
    });
  });

  // Upwards only: servers at hand send nothing while they renegotiate (Node's own gets stuck).
  it('in the middle of an upload loses nothing of it', async () => {
    await withSServer({ ...server12, messages: false }, async (server) => {
      const asked = deferred();
      const answer = deferred<Credential>();
      const socket = dial(server, {
        clientCertCallback: () => {
          asked.resolve();
          return answer.promise;
        },
      });
      await secured(socket.resume());
      await server.waitFor('CIPHER is');
      const lines = Array.from({ length: 200_000 }, (_, i) => `${String(i).padStart(6, '0')}\n`);
      socket.write(lines.slice(0, 100_000).join(''));
      server.type('R');
      await within('question', asked.promise);
      // Queued while the handshake waits, in order, and counted against the high-water mark.
      const more = lines.slice(100_000).map((line) => socket.write(line));
      expect(more).toContain(false);
      const drained = within('drain', once(socket, 'drain'));
      answer.resolve(alice);
      await drained;
      await server.waitFor('199999');
      // What s_server has to say of its own may stand in the middle of a line.
      const uploaded = server.output.replace(/(depth=|verify |SSL_do_|Read BLOCK).*\n/g, '');
      expect(uploaded.match(/^\d{6}$/gm)?.join('\n')).toBe(lines.join('').trimEnd());
      expect(socket.clientAuth.status).toBe('sent');
      await hangUp(socket);
    });
  });
});

describe('renegotiate()', () => {
  it.each([
    ['asks nobody', false, 0, 'nobody'],
    ['lets the server ask', true, 1, 'ec256'],
  ])('%s', async (_what, requestCert, questions, seen) => {
    await withNodeServer({ requestCert }, async (server) => {
      const phases: string[] = [];
      const { socket, peer } = await pair(server, {
        reselectClientCert: true,
        clientCertCallback: (request) => {
          phases.push(request.phase);
          return later(alice, 5);
        },
      });
      let secureConnects = 0;
      socket.on('secureConnect', () => secureConnects++);
      const done = deferred<unknown[]>();
      const peerAgain = once(peer, 'secure');
      expect(socket.renegotiate({}, (...args) => done.resolve(args))).toBe(true);
      const heard = once(socket, 'data');
      socket.write('written meanwhile');
      expect(await within('callback', done.promise)).toEqual([null]);
      expect(String((await within('echo', heard))[0])).toBe('written meanwhile');
      await within('server', peerAgain);
      const subject = peer.getPeerCertificate().subject as { CN?: string } | undefined;
      expect(subject?.CN ?? 'nobody').toContain(seen);
      expect(phases).toEqual(['handshake', 'renegotiation'].slice(0, 2 * questions));
      expect(socket.authorized).toBe(true);
      expect(secureConnects).toBe(0);
      await echoed(socket, 'and goes on');
      await hangUp(socket);
    });
  });

  it('goes on while the server sends, and while nobody reads here', async () => {
    const megabyte = Buffer.alloc(1 << 20, '0123456789');
    const onConnection = (peer: NodeTLSSocket) => {
      peer.write(megabyte);
      peer.on('data', () => {});
    };
    await withNodeServer({ onConnection }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => alice });
      await secured(socket);
      const done = deferred<Error | null>();
      expect(socket.renegotiate({}, (error) => done.resolve(error))).toBe(true);
      // More was written than fits before the handshake can begin on the server's side.
      const wrote = deferred<Error | null | undefined>();
      socket.write(megabyte, (error) => wrote.resolve(error));
      let received = 0;
      await later(undefined, 50);
      socket.on('data', (data: Buffer) => {
        received += data.length;
      });
      expect(await within('callback', done.promise)).toBe(null);
      expect(await within('written', wrote.promise)).toBeFalsy();
      while (received < megabyte.length) await within('data', once(socket, 'data'));
      expect(received).toBe(megabyte.length);
      await hangUp(socket);
    });
  });

  it('begins in the middle of a record, and loses nothing of it', async () => {
    const onConnection = (peer: NodeTLSSocket) => {
      for (let i = 0; i < 20; i++) peer.write(Buffer.alloc(10_000, 'x'));
    };
    await withNodeServer({ onConnection }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => alice });
      const done = deferred<Error | null>();
      let received = 0;
      socket.on('data', (data: Buffer) => {
        if (received === 0) socket.renegotiate({}, (error) => done.resolve(error));
        received += data.length;
      });
      await secured(socket);
      expect(await within('callback', done.promise)).toBe(null);
      while (received < 200_000) await within('data', once(socket, 'data'));
      await hangUp(socket);
    });
  });

  it('is over when the server closes instead, and says so', async () => {
    await withNodeServer({}, async (server) => {
      const { socket, peer } = await pair(server, {});
      const ended = endedBy(socket);
      const done = deferred<Error | null>();
      peer.end();
      socket.renegotiate({}, (error) => done.resolve(error));
      const error = await ended;
      expect(error.code).toBe('ECONNRESET');
      expect(await within('callback', done.promise)).toBe(error);
    });
  });

  it('takes nothing but false for false', async () => {
    for (const wrong of [0, '']) {
      await withNodeServer({}, async (server) => {
        const { socket } = await pair(server, {
          ca: pki.clientCaB.cert,
          rejectUnauthorized: false,
        });
        const ended = endedBy(socket);
        expect(socket.renegotiate({ rejectUnauthorized: wrong as never })).toBe(true);
        expect((await ended).code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      });
    }
  });

  it('has no meaning on TLS 1.3, which the callback learns, and nothing breaks', async () => {
    await withNodeServer({ maxVersion: 'TLSv1.3', minVersion: 'TLSv1.3' }, async (server) => {
      const { socket } = await pair(server, {});
      const done = deferred<unknown>();
      expect(socket.renegotiate({}, done.resolve)).toBe(false);
      const error = await within('callback', done.promise);
      expect(error).toMatchObject({ code: 'ERR_SSL_WRONG_SSL_VERSION' });
      expect((error as Error).message).toContain('TLS 1.3 has no renegotiation');
      await echoed(socket, 'alive');
      await hangUp(socket);
    });
  });

  it('before the handshake and after the end is refused', async () => {
    await withNodeServer({}, async (server) => {
      const socket = dial(server, {});
      const early = deferred<unknown>();
      expect(socket.renegotiate({}, early.resolve)).toBe(false);
      expect(await early.promise).toMatchObject({ code: 'ERR_TLS_RENEGOTIATION_REFUSED' });
      await secured(socket);
      await hangUp(socket);
      const late = deferred<unknown>();
      expect(socket.renegotiate({}, late.resolve)).toBe(false);
      expect(await late.promise).toMatchObject({ code: 'ERR_TLS_RENEGOTIATION_REFUSED' });
    });
  });

  it('tells the callback when the connection ends before it is complete', async () => {
    await withNodeServer({}, async (server) => {
      const { socket } = await pair(server, {});
      const done = deferred<Error | null>();
      socket.renegotiate({}, (error) => done.resolve(error));
      const reason = new Error('enough');
      socket.destroy(reason);
      expect(await within('callback', done.promise)).toBe(reason);
    });
  });

  it('with a server that refuses ends the connection as OpenSSL does', async () => {
    await withSServer({ protocol: 'TLSv1.2', requestCert: 'no' }, async (server) => {
      const socket = dial(server, {});
      await secured(socket.resume());
      const ended = endedBy(socket);
      const done = deferred<Error | null>();
      socket.renegotiate({}, (error) => done.resolve(error));
      const error = await ended;
      expect(error.code).toBe('ERR_SSL_NO_RENEGOTIATION');
      expect(await within('callback', done.promise)).toBe(error);
    });
  });

  it('judges the server anew, by rejectUnauthorized as it says', async () => {
    await withNodeServer({}, async (server) => {
      const { socket } = await pair(server, {
        ca: pki.clientCaB.cert,
        rejectUnauthorized: false,
      });
      expect(socket.authorized).toBe(false);
      const ended = endedBy(socket);
      expect(socket.renegotiate({ rejectUnauthorized: true })).toBe(true);
      expect((await ended).code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });
  });

  it('checks its arguments', async () => {
    await withNodeServer({}, async (server) => {
      const { socket } = await pair(server, {});
      for (const wrong of [null, undefined, 'x', 1]) {
        expect(() => socket.renegotiate(wrong as never)).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
        );
      }
      expect(() => socket.renegotiate({}, 'x' as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
      await hangUp(socket);
    });
  });
});
