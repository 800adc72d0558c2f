/** What is said before TLS, to servers that go over to it in earnest, and to such as do not. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { connect } from '../../lib/index';
import { type StartTlsProtocol, type UpgradeOptions, upgrade } from '../../lib/starttls';
import { Renumbering } from '../../lib/starttls/mysql-packets';
import { hangUp, later, secured, within } from '../support/client';
import { mysqlGreeting } from '../support/mysql-greeting';
import { loadPki } from '../support/pki';

const pki = loadPki();

/** By turns: what the server says, and what it has to hear before it goes on. */
type Script = readonly (Buffer | string | Heard)[];

/** Whether what the server has heard is what it waits for. */
type Heard = (bytes: Buffer) => boolean;
const exactly = (bytes: Buffer | string) => (heard: Buffer) => heard.equals(Buffer.from(bytes));
const command = (word: string) => (heard: Buffer) =>
  heard.toString().startsWith(word) && heard.at(-1) === 10;

const LDAP_REQUEST = exactly(
  Buffer.concat([
    Buffer.from('301d020101771880' + '16', 'hex'),
    Buffer.from('1.3.6.1.4.1.1466.20037'),
  ]),
);
const SSL_REQUEST = exactly(Buffer.from('0000000804d2162f', 'hex'));
const STARTTLS: Heard = (heard) => heard.toString().endsWith('STARTTLS\r\n');
const MYSQL_GREETING = mysqlGreeting(0x0a00);
const MYSQL_REQUEST: Heard = (heard) =>
  heard.length === 36 &&
  heard.readUInt32BE(0) === 0x20000001 &&
  (heard.readUInt16LE(4) & 0x800) !== 0;
const ldapResult = (code: number, words = '') =>
  Buffer.concat([
    Buffer.from([0x30, 12 + words.length, 2, 1, 1, 0x78, 7 + words.length, 0x0a, 1, code, 4, 0]),
    Buffer.from([4, words.length]),
    Buffer.from(words),
  ]);
/** As Active Directory writes lengths. */
const LONG_LDAP_RESULT = Buffer.from(
  '308400000010020101788400000007' + '0a0100' + '0400' + '0400',
  'hex',
);

const GOOD: [protocol: StartTlsProtocol, how: string, script: Script][] = [
  ['postgres', '', [SSL_REQUEST, 'S']],
  [
    'smtp',
    '',
    [
      '220 hello\r\n',
      exactly('EHLO me\r\n'),
      '250-hi\r\n250-STARTTLS\r\n250 HELP\r\n',
      exactly('STARTTLS\r\n'),
      '220 go\r\n',
    ],
  ],
  [
    'smtp',
    ', many lines',
    [
      '220-one\r\n220 two\r\n',
      command('EHLO'),
      '250 STARTTLS\r\n',
      STARTTLS,
      '220-go\r\n220 ahead\r\n',
    ],
  ],
  [
    'imap',
    '',
    ['* OK hello\r\n', exactly('tls1 STARTTLS\r\n'), '* CAPABILITY IMAP4rev1\r\ntls1 OK go\r\n'],
  ],
  ['ldap', '', [LDAP_REQUEST, ldapResult(0)]],
  ['ldap', ', long lengths', [LDAP_REQUEST, LONG_LDAP_RESULT]],
  ['mysql', '', [MYSQL_GREETING, MYSQL_REQUEST]],
];

const REFUSALS: [protocol: StartTlsProtocol, script: Script, words: RegExp][] = [
  ['postgres', [SSL_REQUEST, 'N'], /not offer TLS here$/],
  [
    'smtp',
    ['220 hello\r\n', command('EHLO'), '250-hi\r\n250 STARTTLSX\r\n'],
    /not offer TLS here$/,
  ],
  [
    'smtp',
    ['220 hello\r\n', command('EHLO'), '250 STARTTLS\r\n', STARTTLS, '454 not now\r\n'],
    /"454 not now"/,
  ],
  ['imap', ['* OK hello\r\n', STARTTLS, 'tls1 BAD what\r\n'], /"tls1 BAD what"/],
  ['imap', ['* PREAUTH welcome\r\n'], /"\* PREAUTH welcome"/],
  ['ldap', [LDAP_REQUEST, ldapResult(0x35, 'busy')], /"result 35: busy"/],
  ['mysql', [mysqlGreeting(0x0200)], /not offer TLS here$/],
];

const SURPRISES: [protocol: StartTlsProtocol, script: Script, words: RegExp][] = [
  ['postgres', [SSL_REQUEST, 'HTTP/1.1 400'], /said "H"/],
  // Its words are not to be shown.
  ['postgres', [SSL_REQUEST, 'E\0\0\0\x10SFATAL\0'], /said something else/],
  ['smtp', ['554 go away\r\n'], /said "554 go away"/],
  ['smtp', ['SSH-2.0-server\r\n'], /said "SSH-2\.0-server"/],
  ['smtp', ['220 hello\r\n', command('EHLO'), '502 what\r\n'], /said "502 what"/],
  [
    'smtp',
    [`220 \u001b[31m${'x'.repeat(300)}\r\n`, command('EHLO'), `5\u001b[2J${'y'.repeat(300)}\n`],
    /"5\.\[2Jy+…"/,
  ],
  ['imap', ['* BYE\r\n'], /said "\* BYE"/],
  ['imap', ['* OK hello\r\n', STARTTLS, 'other OK\r\n'], /said "other OK"/],
  ['ldap', [LDAP_REQUEST, 'HTTP/1.1 400'], /said "HT"/],
  ['ldap', [LDAP_REQUEST, Buffer.from('3084ffffffff', 'hex')], /said "0\."/],
  // The notice of disconnection has the number 0.
  ['ldap', [LDAP_REQUEST, Buffer.from('300c02010078070a01000400' + '0400', 'hex')], /said/],
  ['ldap', [LDAP_REQUEST, Buffer.from('300c02010178087f01000400' + '0400', 'hex')], /said/],
  [
    'mysql',
    [Buffer.concat([Buffer.from([11, 0, 0, 0, 0xff, 0x10, 4]), Buffer.from('too many')])],
    /said "too many"/,
  ],
  ['mysql', [Buffer.from([2, 0, 0, 0, 9, 0])], /said/],
  ['mysql', [Buffer.from([2, 0, 0, 0, 10, 65])], /said/],
  ['mysql', ['220 mail.example\r\n'], /said/],
];

const servers = new Set<net.Server>();
const sockets = new Set<net.Socket>();

afterEach(() => {
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
  servers.clear();
  sockets.clear();
});

/** Plays the script to each client, in pieces of that size, then does what follows. */
async function play(
  script: Script,
  follow: (socket: net.Socket) => void = () => {},
  piece = Number.POSITIVE_INFINITY,
): Promise<number> {
  const server = net.createServer({ noDelay: true }, async (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    for (const line of script) {
      if (typeof line === 'function') {
        await hear(socket, line);
      } else {
        const bytes = Buffer.from(line);
        for (let at = 0; at < bytes.length; at += piece) {
          socket.write(bytes.subarray(at, at + piece));
          if (at + piece < bytes.length) await new Promise(setImmediate);
        }
      }
    }
    follow(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.add(server);
  return (server.address() as AddressInfo).port;
}

async function hear(socket: net.Socket, expected: Heard): Promise<void> {
  let heard = Buffer.alloc(0);
  while (!expected(heard) && !socket.destroyed && !socket.readableEnded) {
    // No more than that: what follows is the handshake's.
    const chunk: Buffer | null = socket.read(1);
    if (chunk !== null) heard = Buffer.concat([heard, chunk]);
    else await once(socket, 'readable').catch(() => {});
  }
}

/** Node's own server, which takes over what has been spoken to in plaintext so far. */
function encrypted(socket: net.Socket): void {
  const { cert, key } = pki.server;
  tls
    .createServer({ cert, key, ca: pki.clientCaA.cert, requestCert: true })
    .on('secureConnection', (secure) => {
      secure.write(`${secure.authorized} ${secure.getPeerCertificate().subject.CN}`);
    })
    .on('tlsClientError', () => {})
    .emit('connection', socket);
}

const dial = (port: number) => net.connect(port, '127.0.0.1');

async function failure(
  protocol: StartTlsProtocol,
  port: number,
  options: UpgradeOptions = {},
): Promise<Error> {
  const socket = dial(port);
  const error = await within(
    'rejection',
    upgrade(protocol, socket, { name: 'me', ...options }).then(
      () => Promise.reject(new Error('it went over to TLS')),
      (reason: Error) => reason,
    ),
  );
  expect(socket.destroyed).toBe(true);
  return error;
}

describe('a server that goes over to TLS', () => {
  describe.each([1, 7, Number.POSITIVE_INFINITY])('speaking %d bytes at a time', (piece) => {
    test.each(GOOD)('%s%s', async (protocol, _how, script) => {
      const port = await play(script, encrypted, piece);
      const below = await within('TLS', upgrade(protocol, dial(port), { name: 'me' }));
      const socket = connect({
        socket: below,
        host: 'localhost',
        ca: pki.serverCa.cert,
        clientCertCallback: () => later(pki.clients.ec256, 5),
      });
      await secured(socket);
      const [said] = await within('data', once(socket, 'data'));
      expect(String(said)).toBe('true client ec256');
      await hangUp(socket);
    });
  });

  test.each<[StartTlsProtocol, Script, string]>([
    ['smtp', GOOD[2]?.[2] ?? [], '220-one\r\n220 two\r\n'],
    ['imap', GOOD[3]?.[2] ?? [], '* OK hello\r\n'],
  ])('%s: its greeting can be had', async (protocol, script, greeting) => {
    const greetings: string[] = [];
    const onGreeting = (bytes: Buffer) => {
      greetings.push(bytes.toString());
      return undefined;
    };
    const port = await play(script);
    const socket = await within('TLS', upgrade(protocol, dial(port), { name: 'me', onGreeting }));
    expect(greetings).toEqual([greeting]);
    socket.destroy();
  });
});

test.each(REFUSALS)('%s: a server that does not offer it (%#)', async (protocol, script, words) => {
  const error = await failure(protocol, await play(script));
  expect(error).toMatchObject({
    code: 'ERR_STARTTLS_REFUSED',
    message: expect.stringMatching(words),
  });
});

test.each(SURPRISES)(
  '%s: a server that says something else (%#)',
  async (protocol, script, words) => {
    const error = await failure(protocol, await play(script));
    expect(error).toMatchObject({
      code: 'ERR_STARTTLS_FAILED',
      reason: 'unexpected-answer',
      message: expect.stringMatching(words),
    });
    // Nothing in it that a terminal obeys.
    expect(error.message).toMatch(/^[ -~…]+$/);
    expect(error.message.length).toBeLessThan(300);
  },
);

describe('what stands in plaintext behind the answer', () => {
  const answered = GOOD.filter(([protocol]) => protocol !== 'mysql');
  test.each(answered)('%s%s: is refused', async (protocol, _how, script) => {
    const last = Buffer.from(script.at(-1) as Buffer | string);
    const more = Buffer.concat([last, Buffer.from('X')]);
    const error = await failure(protocol, await play([...script.slice(0, -1), more], encrypted));
    expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'injected' });
  });

  test('mysql: so is what stands behind the greeting', async () => {
    const more = Buffer.concat([MYSQL_GREETING, Buffer.from([7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0])]);
    const error = await failure('mysql', await play([more, MYSQL_REQUEST], encrypted));
    expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'injected' });
  });

  test('what comes later stays in the socket, and nobody of ours listens to it', async () => {
    const port = await play([SSL_REQUEST, 'S', exactly('x'), 'later']);
    const socket = dial(port);
    const listeners = () =>
      ['data', 'end', 'error', 'close'].map((name) => socket.listenerCount(name));
    const before = listeners();
    await within('TLS', upgrade('postgres', socket));
    expect(listeners()).toEqual(before);
    socket.write('x');
    const arrived = async () => {
      while (socket.bytesRead < 'Slater'.length) await new Promise(setImmediate);
    };
    await within('data', arrived());
    expect(String(socket.read())).toBe('later');
  });

  test('what comes later goes to the handshake, and fails it', async () => {
    const port = await play([SSL_REQUEST, 'S'], async (socket) => {
      await once(socket, 'readable');
      socket.write('220 injected\r\n');
    });
    const below = await within('TLS', upgrade('postgres', dial(port)));
    const socket = connect({ socket: below, host: 'localhost', ca: pki.serverCa.cert });
    const [error] = await within('error', once(socket, 'error'));
    expect(error).toMatchObject({ code: 'ERR_SSL_WRONG_VERSION_NUMBER' });
  });
});

describe('a server that goes away', () => {
  const unfinished: [StartTlsProtocol, string, Script][] = [
    ...GOOD.map(([protocol, how, script]): [StartTlsProtocol, string, Script] => [
      protocol,
      how,
      script.slice(
        0,
        script.findLastIndex((line) => typeof line !== 'function'),
      ),
    ]),
    ['mysql', ', amidst its greeting', [MYSQL_GREETING.subarray(0, 20)]],
    ['ldap', ', amidst its answer', [LDAP_REQUEST, ldapResult(0).subarray(0, 5)]],
  ];
  test.each(unfinished)('%s%s', async (protocol, _how, script) => {
    for (const follow of ['end', 'destroy'] as const) {
      const error = await failure(protocol, await play(script, (socket) => void socket[follow]()));
      expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'closed' });
    }
  });
});

test('a server that resets the connection: its error', async () => {
  const port = await play(['220 hello\r\n', command('EHLO')], (socket) => {
    socket.resetAndDestroy();
  });
  expect(await failure('smtp', port)).toMatchObject({ code: 'ECONNRESET', syscall: 'read' });
});

test('a server that says nothing', async () => {
  const error = await failure('smtp', await play([]), { timeout: 30 });
  expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'timeout' });
  expect(error.message).toContain('30 ms');
});

test('a driver that does not answer the greeting', async () => {
  const onGreeting = () => new Promise<Uint8Array>(() => {});
  const error = await failure('mysql', await play([MYSQL_GREETING]), { timeout: 30, onGreeting });
  expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'timeout' });
});

test.each<[StartTlsProtocol, string]>([
  ['smtp', '220 '],
  ['smtp', '220-more\r\n'],
  ['imap', '* OK '],
])('%s: a server that never comes to an end (%j)', async (protocol, words) => {
  const endless = (socket: net.Socket) => {
    const more = () => {
      while (socket.writable && socket.write(words.repeat(5_000))) {}
    };
    socket.on('drain', more);
    more();
  };
  const error = await failure(protocol, await play([], endless));
  expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'too-long' });
});

test('a signal ends it, and gives the reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const port = await play([], () => controller.abort(reason));
  expect(await failure('smtp', port, { signal: controller.signal })).toBe(reason);
  expect(await failure('smtp', port, { signal: controller.signal })).toBe(reason);
});

test('nobody there: the error of the socket', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  expect(await failure('ldap', port)).toMatchObject({ code: 'ECONNREFUSED', port });
});

test('a socket that is gone already', async () => {
  const socket = new net.Socket();
  socket.destroy();
  await expect(upgrade('ldap', socket)).rejects.toMatchObject({ reason: 'closed' });
});

test('packets are numbered anew however they are cut', () => {
  const packets = fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ minLength: 0, maxLength: 300 })));
  const written = (numbered: [number, Uint8Array][], by: number) =>
    Buffer.concat(
      numbered.flatMap(([number, payload]) => [
        Buffer.from([payload.length & 0xff, payload.length >> 8, 0, (number + by) & 0xff]),
        payload,
      ]),
    );
  fc.assert(
    fc.property(
      packets,
      fc.array(fc.nat(50)),
      fc.constantFrom(1 as const, -1 as const),
      (list, cuts, by) => {
        const firsts: number[] = [];
        const renumbering = new Renumbering(by, (first) => firsts.push(first));
        const bytes = written(list, 0);
        const passed: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          passed.push(renumbering.pass(bytes.subarray(at, at + cut)));
          at += cut;
        }
        expect(Buffer.concat(passed)).toEqual(written(list, by));
        expect(firsts).toEqual(list.flatMap(([, payload]) => [...payload.subarray(0, 1)]));
      },
    ),
  );
});
