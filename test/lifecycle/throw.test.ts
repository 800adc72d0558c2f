/** What a listener throws is an uncaught exception as with any emitter, and the socket survives. */
import { PROTOCOLS } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { STREAM_ALONE } from '../support/over-descriptors';
import { loadPki } from '../support/pki';
import { runChild } from './run-child';

const REGULAR = 'secureConnect end close';

test.each([
  ["'connect'", REGULAR],
  ["'suspend'", REGULAR],
  ["'keylog'", REGULAR],
  ["'OCSPResponse'", REGULAR],
  ["'secureConnect'", REGULAR],
  ["'data'", REGULAR],
  ["'finish'", REGULAR],
  // A stream looks after its own end only after the listeners; that is so with every stream. Where there is
  // another one below, that goes by itself, and we with it.
  ["'end'", STREAM_ALONE ? REGULAR : 'secureConnect end'],
  ["'close'", REGULAR],
  ["'error'", 'secureConnect error close'],
  ["a write's callback", REGULAR],
])('thrown in %s', async (place, events) => {
  const server = await startNodeServer({ identity: loadPki().server });
  const { end, lines, errors } = await runChild('throw-child', [place, server.port]);
  expect({ end, lines, errors }).toEqual({
    end: 0,
    lines: [`uncaughtException from ${place}`, events],
    errors: '',
  });
  await server.close();
});

test.each(PROTOCOLS)(
  "thrown in 'secureConnect' behind a late signature, %s",
  async (maxVersion) => {
    const server = await startNodeServer({ identity: loadPki().server, maxVersion });
    const place = "'secureConnect'";
    const result = await runChild('throw-child', [place, server.port, 'signed']);
    const lines = [`uncaughtException from ${place}`, REGULAR];
    expect(result).toEqual({ end: 0, lines, errors: '' });
    await server.close();
  },
);

test("thrown in each 'keylog': there are as many as ever", async () => {
  const server = await startNodeServer({ identity: loadPki().server, maxVersion: 'TLSv1.3' });
  const { end, lines } = await runChild('throw-child', ["'keylog'", server.port, 'each']);
  const thrown = Array(5).fill("uncaughtException from 'keylog'");
  expect({ end, lines }).toEqual({ end: 0, lines: [...thrown, REGULAR] });
  await server.close();
});

// It is asked for another buffer after each delivery, and before the first.
test.each([
  ['onread.buffer', 2],
  ['onread.callback', 1],
])('thrown in each %s: what comes is delivered, and nothing twice', async (place, times) => {
  const server = await startNodeServer({ identity: loadPki().server });
  const { end, lines } = await runChild('throw-child', [place, server.port]);
  const thrown = Array(times).fill(`uncaughtException from ${place}`);
  expect({ end, lines }).toEqual({ end: 0, lines: [...thrown, REGULAR] });
  await server.close();
});

// Nothing else would have it look at what comes.
test("thrown in 'secureConnect' where nobody reads: the server's end is seen", async () => {
  const server = await startNodeServer({
    identity: loadPki().server,
    onConnection: (socket) => void socket.resume().once('data', () => socket.end()),
  });
  const place = "'secureConnect'";
  const { end, lines } = await runChild('throw-child', [place, server.port, 'unread']);
  expect({ end, lines }).toEqual({
    end: 0,
    lines: [`uncaughtException from ${place}`, REGULAR],
  });
  await server.close();
});

test.each(['auto', 'stream', 'node'])(
  'thrown in the callback of a write that destroy() cuts off, %s: it closes all the same',
  async (how) => {
    const server = await startNodeServer({
      identity: loadPki().server,
      onConnection: (socket) => socket.pause(),
    });
    const { end, lines, errors } = await runChild('cut-off-child', [how, server.port]);
    expect({ end, lines, errors }).toEqual({
      end: 0,
      lines: ['from the callback', 'destroy() returned, close, the stream below destroyed'],
      errors: '',
    });
    await server.close();
  },
);
