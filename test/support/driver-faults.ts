/** What can go wrong between a driver and its server on the way to a secured connection. */
import type { ClientCertCallback, ConnectionOptions } from '../../lib/index';
import { type AnyError, deferred, later, within } from './client';
import { loadPki } from './pki';
import { startTap } from './tap';

/** How a driver is used: it connects, does the least that shows that it is let in, and goes. */
export type Attempt = (
  port: number,
  tls: Pick<ConnectionOptions, 'ca' | 'servername' | 'clientCertCallback'>,
  /** The driver's own timeout for connecting, milliseconds. */
  timeout?: number,
) => Promise<unknown>;

/** What its user gets to see: a pattern of properties. */
export interface DriverFaults {
  readonly declined: object;
  readonly threw?: object;
  readonly timedOut: object;
  readonly untrusted?: object;
  readonly vanished?: object;
}

const TIMEOUT_MS = 150;

/** Declares the tests. @param port - Looked at when they run. */
export function describeFaults(port: () => number, attempt: Attempt, expected: DriverFaults): void {
  const pki = loadPki();
  const trusting = { ca: pki.serverCa.cert, servername: 'localhost' };
  const failing = (promise: Promise<unknown>): Promise<AnyError> =>
    within(
      'failure',
      promise.then(
        () => Promise.reject(new Error('it was let in')),
        (error: AnyError) => error,
      ),
    );

  test('a declined certificate', async () => {
    const clientCertCallback = () => later(null);
    const error = await failing(attempt(port(), { ...trusting, clientCertCallback }));
    expect(error).toMatchObject(expected.declined);
  });

  test('a callback that throws', async () => {
    const cause = new Error('no card in the reader');
    const clientCertCallback = () => later(null).then(() => Promise.reject(cause));
    const error = await failing(attempt(port(), { ...trusting, clientCertCallback }));
    expect(error).toMatchObject(expected.threw ?? { code: 'ERR_CLIENT_CERT_CALLBACK', cause });
  });

  test('a server that is not trusted: nobody is asked', async () => {
    const clientCertCallback = jest.fn(() => null);
    const tls = { ...trusting, ca: pki.clientCaA.cert, clientCertCallback };
    const error = await failing(attempt(port(), tls));
    expect(error).toMatchObject(
      expected.untrusted ?? { code: expect.stringMatching(/^UNABLE_TO_(VERIFY|GET_ISSUER)/) },
    );
    expect(clientCertCallback).not.toHaveBeenCalled();
  });

  /** Asked, and never answering. */
  function pending() {
    const asked = deferred<AbortSignal>();
    const clientCertCallback: ClientCertCallback = (_request, { signal }) => {
      asked.resolve(signal);
      return new Promise<never>(() => {});
    };
    return { asked: asked.promise, clientCertCallback };
  }

  test("no answer in the driver's own time", async () => {
    const signals: AbortSignal[] = [];
    // On a busy machine it may be over before the server has asked: then once more, with more of it.
    for (let timeout = TIMEOUT_MS; signals.length === 0 && timeout < 10_000; timeout *= 3) {
      const { asked, clientCertCallback } = pending();
      void asked.then((signal) => signals.push(signal));
      const error = await failing(attempt(port(), { ...trusting, clientCertCallback }, timeout));
      expect(error).toMatchObject(expected.timedOut);
    }
    expect(signals[0]?.aborted).toBe(true);
  });

  test('a server that goes while the question waits', async () => {
    const tap = await startTap(port());
    const { asked, clientCertCallback } = pending();
    const failed = failing(attempt(tap.port, { ...trusting, clientCertCallback }));
    const signal = await within('question', asked);
    tap.cut();
    expect(await failed).toMatchObject(expected.vanished ?? { code: 'ECONNRESET' });
    expect(signal.aborted).toBe(true);
    await tap.close();
  });

  test('nobody there', async () => {
    const tap = await startTap(port());
    await tap.close();
    const error = await failing(
      attempt(tap.port, { ...trusting, clientCertCallback: () => null }, 5_000),
    );
    expect(JSON.stringify({ ...error, message: error.message })).toContain('ECONNREFUSED');
  });
}
