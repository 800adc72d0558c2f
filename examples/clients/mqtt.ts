/**
 * MQTT through `mqtt`. In a clone:
 *     node -r ./tools/register-typescript.cjs examples/clients/mqtt.ts localhost 8883 ca.pem cert.pem key.pem topic
 */
import { readFile } from 'node:fs/promises';
import { MqttClient } from 'mqtt';
import { type ClientCertCallback, connect } from '../../lib/index'; // 'tls-client-cert'

async function main([host, port, caFile = '', certFile = '', keyFile = '', topic = '']: string[]) {
  const ca = await readFile(caFile);

  /** Called when the broker asks, again at each reconnection. */
  const clientCertCallback: ClientCertCallback = async (request) => {
    console.log('the broker trusts', request.certificateAuthorities.map(String));
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    return { cert, key };
  };

  // In the place of mqtt.connect(), which calls tls.connect().
  const client = new MqttClient(() => connect({ host, port, ca, clientCertCallback }), {});
  try {
    // Or a first error. Later ones would be worth a listener that stays: it connects anew by itself.
    await new Promise<unknown>((resolve, reject) => {
      client.once('connect', resolve).once('error', reject);
    });
    const message = new Promise<[string, Buffer]>((resolve) => {
      client.once('message', (...heard) => resolve([heard[0], heard[1]]));
    });
    await client.subscribeAsync(topic, { qos: 1 });
    await client.publishAsync(topic, 'hello', { qos: 1 });
    const [name, payload] = await message;
    console.log(`the broker said "${payload}" on ${name}`);
  } finally {
    await client.endAsync();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
