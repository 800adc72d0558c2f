// node grpc.mts localhost:8443 ca.pem cert.pem key.pem
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { CallCredentials, ChannelCredentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { type ConnectionOptions, connect } from 'tls-client-cert';

const [target = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

/** Has a channel make its connections by this package. */
class AskedCredentials extends ChannelCredentials {
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    super();
    this.#options = options;
  }

  _isSecure() {
    return true;
  }

  _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  _createSecureConnector(
    ...[{ path }, , callCredentials]: Parameters<ChannelCredentials['_createSecureConnector']>
  ) {
    const options = { ...this.#options, host: path.replace(/:\d+$/, ''), ALPNProtocols: ['h2'] };
    return {
      async connect(tcp: Socket) {
        const socket = connect({ ...options, socket: tcp });
        await once(socket, 'secureConnect'); // rejects on 'error'
        return { socket: socket as unknown as Socket, secure: true };
      },
      waitForReady: async () => {},
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }
}

const credentials = new AskedCredentials({
  ca: readFileSync(ca),
  clientCertCallback: async ({ servername }) => {
    console.log('asked by', servername);
    return { cert: readFileSync(cert), key: readFileSync(key) };
  },
});

// Yours would come from a .proto file.
const text = { serialize: (value: string) => Buffer.from(value), deserialize: String };
const Greeter = makeGenericClientConstructor(
  {
    greet: {
      path: '/Greeter/Greet',
      requestStream: false,
      responseStream: false,
      requestSerialize: text.serialize,
      requestDeserialize: text.deserialize,
      responseSerialize: text.serialize,
      responseDeserialize: text.deserialize,
    },
  },
  'Greeter',
);

const client = new Greeter(target, credentials);
client.greet?.('hello', (error: Error | null, reply: string) => {
  if (error) console.error(error);
  else console.log('the server:', reply);
  process.exitCode = error ? 1 : 0;
  client.close();
});
