/** What is put into names, paths and headers begins no line and ends no name of its own. */
import https from 'node:https';
import { Agent } from '../../lib/agents/https';
import { Connection } from '../../lib/index';
import { upgrade } from '../../lib/starttls';
import { createPair } from '../support/pair';

test('a name is not cut at a NUL, which would make it another server', () => {
  for (const option of ['servername', 'host']) {
    expect(() => new Connection({ [option]: 'good.example\0.evil.example' })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  }
});

test('a name is sent as it is, and as long as it is', () => {
  const connection = new Connection({ host: 'localhost', servername: 'a\r\nb' });
  connection.handshake();
  const hello = connection.drain() as Buffer;
  expect(hello.includes(Buffer.from('\0\x04a\r\nb', 'latin1'))).toBe(true);
  connection.destroy();
  expect(() => new Connection({ servername: 'a'.repeat(256) })).toThrow();
});

test.each([
  ['a path', { path: '/\r\nX: y' }, 'ERR_UNESCAPED_CHARACTERS'],
  ['a header', { headers: { 'X-A': 'a\r\nX-B: b' } }, 'ERR_INVALID_CHAR'],
  ['a Host', { headers: { Host: 'a\r\nX-B: b' } }, 'ERR_INVALID_CHAR'],
])(
  '%s with a line in it is refused by the request, through our agent too',
  (_name, options, code) => {
    const agent = new Agent();
    expect(() =>
      https.get({ host: 'localhost', port: 1, agent, ...options }).on('error', () => {}),
    ).toThrow(expect.objectContaining({ code }));
    agent.destroy();
  },
);

test.each(['a\r\nMAIL FROM:<x@example>', 'a b', '', 'é'])(
  'SMTP: a name of %j is refused, before anything is sent',
  async (name) => {
    const { client, server } = createPair();
    const sent: Buffer[] = [];
    server.on('data', (chunk: Buffer) => sent.push(chunk));
    await expect(upgrade('smtp', client, { name })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    expect(sent).toEqual([]);
  },
);
