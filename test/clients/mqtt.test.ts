/** `mqtt` and Mosquitto: who may do what by the name in the certificate, and what can go wrong. */
import { type IClientOptions, MqttClient } from 'mqtt';
import { type ClientCertCallback, type ConnectionOptions, connect } from '../../lib/index';
import { credentialOf, later, within } from '../support/client';
import { type Attempt, describeFaults } from '../support/driver-faults';
import { runExample } from '../support/example';
import { startMosquitto } from '../support/mosquitto';
import { loadPki } from '../support/pki';
import type { ServerProcess } from '../support/server-process';

const pki = loadPki();
const { ec256 } = pki.clients;

let server: ServerProcess;
beforeAll(async () => {
  server = await startMosquitto();
}, 20_000);
afterAll(() => server.stop());

const trusting = { ca: pki.serverCa.cert, servername: 'localhost', host: '127.0.0.1' };

/** A client that is connected, or its first error. */
async function start(tls: ConnectionOptions, more: IClientOptions = {}): Promise<MqttClient> {
  const client = new MqttClient(() => connect({ ...trusting, port: server.port, ...tls }), {
    reconnectPeriod: 0,
    ...more,
  });
  try {
    await new Promise<unknown>((resolve, reject) => {
      client.once('connect', resolve).once('error', reject);
    });
    return client;
  } catch (error) {
    // Closing, it may fail again.
    client.on('error', () => {});
    await client.endAsync(true);
    throw error;
  }
}

test('the example: the broker says whom it saw', async () => {
  const { certPath, keyPath } = ec256;
  const args = ['localhost', server.port, pki.serverCa.certPath, certPath, keyPath];
  const printed = await runExample('clients/mqtt.ts', [...args, 'of/client ec256/news']);
  // Mosquitto names nobody, which stands for all.
  expect(printed).toContain('the broker trusts []');
  expect(printed).toContain('the broker said "hello" on of/client ec256/news');
  await server.waitFor(/New client connected from .*u'client ec256'/);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'the name decides what one may do, %s',
  async (maxVersion) => {
    const clientCertCallback = () => later(credentialOf(pki.deepClient), 30);
    const client = await start({ clientCertCallback, maxVersion });
    try {
      const heard: string[] = [];
      client.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
      await client.subscribeAsync('of/#', { qos: 1 });
      await client.publishAsync('of/client ec256/news', 'not mine', { qos: 1 });
      const mine = new Promise((resolve) => client.once('message', resolve));
      await client.publishAsync('of/client deep/news', 'mine', { qos: 1 });
      await within('message', mine);
      expect(heard).toEqual(['of/client deep/news mine']);
    } finally {
      await client.endAsync();
    }
  },
);

test('a reconnection asks again', async () => {
  const clientCertCallback = jest.fn<ReturnType<ClientCertCallback>, []>(() => later(ec256, 20));
  const client = await start({ clientCertCallback }, { reconnectPeriod: 1 });
  try {
    const again = new Promise((resolve) => client.once('connect', resolve));
    client.stream.destroy();
    await within('connect', again);
    expect(clientCertCallback).toHaveBeenCalledTimes(2);
  } finally {
    await client.endAsync();
  }
});

const attempt: Attempt = async (port, tls, timeout) => {
  const client = await start(
    { ...tls, port },
    timeout === undefined ? {} : { connectTimeout: timeout },
  );
  await client.endAsync();
};

describeFaults(() => server.port, attempt, {
  declined: { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', alert: 'certificate_required' },
  timedOut: { message: 'connack timeout' },
});
