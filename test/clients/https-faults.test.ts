/** `tls-client-cert/https`, when something ends, waits or drops an identity. */
import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { Agent, type AgentOptions, type RequestOptions } from '../../lib/agents/https';
import type { ClientCertAnswer } from '../../lib/index';
import { type RawServer, startRawServer } from '../integration/stream-helpers';
import { deferred, PROTOCOLS, within } from '../support/client';
import {
  type HttpsServer,
  type HttpsServerOptions,
  startHttpsServer,
} from '../support/https-server';
import { ca, get, ONE, one, pki } from './requests';

let server: HttpsServer;
let agent: Agent;

beforeEach(async () => {
  server = await startHttpsServer();
});
afterEach(async () => {
  agent.destroy();
  await server.close();
});

function use(options: AgentOptions = {}) {
  agent = new Agent({ ca, ...options });
  return (request: RequestOptions = {}) => get(server.url, { ...request, agent });
}

/** Another server at the place of the one before. */
async function restart(options: HttpsServerOptions): Promise<void> {
  const { port } = server;
  await server.close();
  server = await startHttpsServer({ ...options, port });
}

/** Questions that are answered all at once, or never. */
function questions() {
  const signals: AbortSignal[] = [];
  const answer = deferred<ClientCertAnswer>();
  const waiters: { count: number; resolve: () => void }[] = [];
  const clientCertCallback: AgentOptions['clientCertCallback'] = (_request, { signal }) => {
    signals.push(signal);
    for (const { count, resolve } of waiters) if (signals.length >= count) resolve();
    return answer.promise;
  };
  const asked = (count: number) => {
    const reached = deferred();
    if (signals.length >= count) reached.resolve();
    waiters.push({ count, resolve: reached.resolve });
    return within(`question ${count}`, reached.promise);
  };
  return { signals, answer: answer.resolve, asked, clientCertCallback };
}

/** Waits until no socket is in the agent's books. */
async function emptied(): Promise<void> {
  const sockets = [agent.sockets, agent.freeSockets].flatMap((set) => Object.values(set).flat());
  await within(
    'close of all',
    Promise.all(
      sockets.map(
        (socket) => socket?.closed || once(socket as object as NodeJS.EventEmitter, 'close'),
      ),
    ),
  );
  expect({ ...agent.sockets, ...agent.freeSockets }).toEqual({});
}

describe('many requests at once', () => {
  test('ask one question for each connection', async () => {
    const { clientCertCallback, asked, answer } = questions();
    const ask = use({ clientCertCallback });
    const answers = [ask(), ask(), ask()];
    await asked(3);
    answer(one);
    const reports = await Promise.all(answers);
    expect(reports.map(({ client }) => client)).toEqual([ONE, ONE, ONE]);
    expect(new Set(reports.map(({ connection }) => connection)).size).toBe(3);
  });

  test('ask one question with maxSockets: 1, and wait for it', async () => {
    const { clientCertCallback, asked, answer, signals } = questions();
    const ask = use({ clientCertCallback, maxSockets: 1 });
    const answers = [ask(), ask(), ask()];
    await asked(1);
    answer(one);
    const reports = await Promise.all(answers);
    expect(reports.map(({ client, connection }) => [client, connection])).toEqual([
      [ONE, 1],
      [ONE, 1],
      [ONE, 1],
    ]);
    expect(signals).toHaveLength(1);
  });

  test('ask a person once when the answer is remembered', async () => {
    let persons = 0;
    let remembered: Promise<typeof one> | undefined;
    const askThePerson = async () => {
      persons++;
      return one;
    };
    const ask = use({
      clientCertCallback: () => {
        remembered ??= askThePerson();
        return remembered;
      },
    });
    const reports = await Promise.all([ask(), ask(), ask()]);
    expect(reports.map(({ client }) => client)).toEqual([ONE, ONE, ONE]);
    expect(persons).toBe(1);
  });
});

describe('while the question is open', () => {
  test('agent.destroy() ends the request and the question', async () => {
    const { clientCertCallback, asked, signals } = questions();
    const failed = expect(use({ clientCertCallback })()).rejects.toMatchObject({
      code: 'ECONNRESET',
    });
    await asked(1);
    agent.destroy();
    await failed;
    await emptied();
    expect(signals[0]?.aborted).toBe(true);
  });

  test("a request's own signal ends both", async () => {
    const { clientCertCallback, asked, signals } = questions();
    const controller = new AbortController();
    const ask = use({ clientCertCallback });
    const failed = expect(ask({ signal: controller.signal })).rejects.toMatchObject({
      code: 'ABORT_ERR',
    });
    await asked(1);
    controller.abort();
    await failed;
    await emptied();
    expect(signals[0]?.aborted).toBe(true);
  });

  test('a server that goes away ends both, and the next request connects anew', async () => {
    const { clientCertCallback, asked, signals, answer } = questions();
    const ask = use({ clientCertCallback });
    const sockets: Duplex[] = [];
    server.server.on('connection', (socket) => sockets.push(socket));
    const failed = expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
    await asked(1);
    sockets[0]?.destroy();
    await failed;
    await emptied();
    expect(signals[0]?.aborted).toBe(true);
    answer(one);
    expect(await ask()).toMatchObject({ client: ONE });
  });

  test('requests that wait behind it get connections of their own when it fails', async () => {
    let asked = 0;
    const clientCertCallback = async () => {
      if (asked++ === 0) throw new Error('no card');
      return one;
    };
    const ask = use({ clientCertCallback, maxSockets: 1 });
    const first = expect(ask()).rejects.toMatchObject({ code: 'ERR_CLIENT_CERT_CALLBACK' });
    const others = Promise.all([ask(), ask()]);
    await first;
    expect(await others).toMatchObject([{ client: ONE }, { client: ONE }]);
    expect(asked).toBe(2);
  });
});

describe.each(PROTOCOLS)('a server that drops what it knew, %s', (version) => {
  const versions = { minVersion: version, maxVersion: version } as const;

  test('and closes a connection just as a request takes it', async () => {
    const { clientCertCallback, answer } = questions();
    answer(one);
    const ask = use({ ...versions, clientCertCallback });
    await ask();
    server.sockets[0]?.destroy();
    const request = https.get(server.url, { agent });
    const [error] = await within(
      'error',
      once(request, 'error').catch((thrown) => [thrown]),
    );
    expect(error).toMatchObject({ code: 'ECONNRESET', reason: 'unexpected eof while reading' });
    // By which programs know that they may try again.
    expect(request.reusedSocket).toBe(true);
    await emptied();
    expect(await ask()).toMatchObject({ client: ONE, connection: 2 });
  });

  describe.each(['close', 'keep-alive'])('and hangs up without a close_notify, %s:', (header) => {
    /** Where the relay ends the client's connection, it does so together with the last words. */
    let relay: RawServer;
    let hold: () => void;

    beforeEach(async () => {
      relay = await startRawServer((client) => {
        const target = net.connect(server.port, '127.0.0.1');
        let held: Buffer[] | undefined;
        hold = () => {
          held ??= [];
        };
        target.on('data', (data) => (held === undefined ? client.write(data) : held.push(data)));
        target.on('close', () => client.end(Buffer.concat(held ?? [])));
        client.on('data', (data) => target.write(data)).on('close', () => target.destroy());
        target.on('error', () => {});
      });
    });
    afterEach(() => relay.close());

    /** What becomes of a request whose response is cut off behind so many of its bytes. */
    async function outcome(behind: number, through: 'relay' | 'server') {
      await server.close();
      server = await startHttpsServer({
        handler: (request, response, report) => {
          const body = JSON.stringify(report);
          response.setHeader('connection', header).setHeader('content-length', body.length);
          if (through === 'relay') hold();
          response.write(body.slice(0, behind), () => request.socket.destroy());
        },
      });
      agent = new Agent({ ca, ...versions, ...one });
      const { port } = through === 'relay' ? relay : server;
      const events: string[] = [];
      const request = https.get({ agent, host: 'localhost', port });
      request.on('error', () => events.push('error of the request'));
      const [response] = await within('response', once(request, 'response'));
      const closed = new Promise((resolve) => response.socket.once('close', resolve));
      response.on('error', () => events.push('error of the response'));
      response.on('end', () => events.push('end')).resume();
      await within('close', closed);
      await emptied();
      return events;
    }

    test.each(['relay', 'server'] as const)(
      'behind a whole response, by the %s',
      async (through) => {
        expect(await outcome(Number.POSITIVE_INFINITY, through)).toEqual(['end']);
      },
    );

    test.each(['relay', 'server'] as const)('within a response, by the %s', async (through) => {
      expect(await outcome(5, through)).toContain('error of the response');
    });
  });

  test('and cuts off what a connection was upgraded to', async () => {
    server.server.on('upgrade', (_request, socket: Duplex) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n',
        () => socket.destroy(),
      );
    });
    agent = new Agent({ ca, ...versions, ...one });
    const headers = { connection: 'upgrade', upgrade: 'other' };
    const request = https.get(server.url, { agent, headers });
    const [, socket] = (await within('upgrade', once(request, 'upgrade'))) as [unknown, Duplex];
    const failed = new Promise((resolve) => socket.once('error', resolve));
    socket.resume();
    expect(await within('error', failed)).toMatchObject({ code: 'ECONNRESET' });
  });

  test('and closes an idle connection without a word: its session is kept', async () => {
    const ask = use({ ...versions, ...one });
    const { socket } = await ask();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    server.sockets[0]?.destroy();
    expect(await within('close', closed)).toBe(false);
    await emptied();
    expect(await ask()).toMatchObject({ client: ONE, connection: 2, reused: true });
  });

  test('and closes after its response, while a request waits', async () => {
    await server.close();
    server = await startHttpsServer({
      handler: (_request, response, report) => {
        response.setHeader('connection', 'close').end(JSON.stringify(report));
      },
    });
    const { clientCertCallback, answer, signals } = questions();
    answer(one);
    const ask = use({ ...versions, clientCertCallback, maxSockets: 1 });
    const reports = await Promise.all([ask(), ask()]);
    expect(reports.map(({ client, connection }) => [client, connection])).toEqual([
      [ONE, 1],
      [ONE, 2],
    ]);
    expect(signals).toHaveLength(2);
  });

  test('and restarts without the keys of its sessions: a full handshake', async () => {
    const ask = use({ ...versions, ...one, keepAlive: false });
    await ask();
    expect(await ask()).toMatchObject({ reused: true });
    await restart({});
    const answer = await ask();
    expect(answer).toMatchObject({ client: ONE, reused: false });
    expect(answer.socket.clientAuth.status).toBe('sent');
  });

  test('and restarts asking nobody: told, and refused by requireClientCert', async () => {
    const ask = use({ ...versions, ...one, keepAlive: false });
    await ask();
    await restart({ requestCert: false });
    const answer = await ask();
    expect(answer).toMatchObject({ client: null });
    expect(answer.socket.clientAuth).toMatchObject({ status: 'not-requested', sent: false });
    await expect(ask({ requireClientCert: true })).rejects.toMatchObject({
      code: 'ERR_CLIENT_CERT_REQUIRED',
    });
  });

  test('and refuses the certificate from now on: the alert is told, the session forgotten', async () => {
    const ticketKeys = Buffer.alloc(48, 'keys of the tickets');
    await restart({ ticketKeys });
    const ask = use({ ...versions, ...one, keepAlive: false });
    await ask();
    await restart({ rejectUnauthorized: true, ca: pki.clientCaB.cert });
    const error = await ask().then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: expect.stringMatching(/^(ERR_SSL_|ECONNRESET)/) });
    await restart({ ticketKeys });
    expect(await ask()).toMatchObject({ client: ONE, reused: false });
  });
});
