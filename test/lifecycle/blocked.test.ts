/** A worker that is blocked in `Atomics.wait()` holds up nobody else, and finds all in order when it wakes. */
import { patience } from '../support/slowness';
import { type PhaseServers, SENT_LATER, startPhaseServers } from './phase-servers';
import { TOO_MUCH } from './phases';
import { runChild } from './run-child';

let servers: PhaseServers;
beforeAll(async () => {
  servers = await startPhaseServers();
});
afterAll(() => servers.close());

/** Timers of so many ms expire while nobody can look. */
const OVERDUE = patience(300);

const echoed = { received: 'hello', events: ['end', 'close'] };
const shown = {
  received: expect.stringMatching(/^asked\n\{"subject": "[^"]*CN=/),
  events: ['end', 'close'],
};

test(
  'connections in each phase outlast it',
  async () => {
    const { end, lines, errors } = await runChild(
      'blocked-child',
      ['wake', servers.json, OVERDUE],
      {
        timeout: 40_000,
      },
    );
    expect({ end, errors, lines: lines.toSpliced(4, 1) }).toEqual({
      end: 0,
      errors: '',
      lines: ['true', 'gone', 'true', 'blocked all the time', '0'],
    });
    const found = JSON.parse(lines[4] ?? '');
    found['send later'].received = found['send later'].received.length;
    expect(found).toEqual({
      connecting: echoed,
      'waiting for the ServerHello': { received: '', events: ['error ECONNRESET', 'close'] },
      suspended: echoed,
      'suspended on TLS 1.2': echoed,
      answered: { received: '', events: ['close'] },
      signing: echoed,
      'signing on TLS 1.2': echoed,
      open: echoed,
      writing: { received: String(TOO_MUCH), events: ['end', 'close'] },
      'asked later': shown,
      'signing later': shown,
      renegotiating: echoed,
      closing: { received: '', events: ['end', 'close'] },
      'half-closed by the peer': { received: '', events: ['close'] },
      'send later': { received: SENT_LATER, events: ['end', 'close'] },
      'cut later': {
        received: '',
        events: ['error ERR_SSL_UNEXPECTED_EOF_WHILE_READING', 'close'],
      },
      idle: { received: '', events: ['timeout', 'close'] },
      overdue: { received: '', events: ['error ERR_CLIENT_CERT_TIMEOUT', 'close'] },
    });
  },
  patience(50_000),
);

test(
  'it is terminated, and the process ends while another is blocked',
  async () => {
    const result = await runChild('blocked-child', ['ends', servers.json, OVERDUE], {
      timeout: 40_000,
    });
    expect(result).toEqual({ end: 7, lines: ['true'], errors: '' });
  },
  patience(50_000),
);
