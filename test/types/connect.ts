/** Compiled by `npm run typecheck`, never run: the argument forms of `connect()`. */
import type net from 'node:net';
import tls from 'node:tls';
import { type ConnectionOptions, connect, type TLSSocket } from '../../lib/index';

const options: ConnectionOptions = {};
const listener = () => {};

export const sockets: TLSSocket[] = [
  connect(options),
  connect(options, listener),
  connect(443),
  connect('443', listener),
  connect(443, 'localhost'),
  connect(443, 'localhost', listener),
  connect(443, 'localhost', options),
  connect(443, 'localhost', options, listener),
  connect(443, undefined, options, listener),
  connect(443, options),
  connect(443, options, listener),
  connect('/run/server.sock'),
  connect('/run/server.sock', listener),
  connect('/run/server.sock', options, listener),
  connect(443, { clientCertCallback: (request) => (request.attempt > 1 ? null : null) }),
];

/** A callback may name the socket that it is for. */
const named = connect({
  port: 443,
  clientCertCallback: () => {
    named.destroy();
    return null;
  },
});

// @ts-expect-error A listener is a function.
connect(443, 'localhost', 'listener');
// @ts-expect-error There are no options behind the listener.
connect(443, listener, options);
// @ts-expect-error Options are checked in each place.
connect(443, { clientCertTimeout: '1 s' });
// @ts-expect-error
connect();

/** In the place of `tls.connect()`: its options, but for the context, which is another library's there. */
declare const nodes: Omit<tls.ConnectionOptions, 'secureContext'>;
connect(nodes);
connect(443, 'localhost', nodes, listener);
// @ts-expect-error Made by `tls.createSecureContext()`; make it by this package's.
connect({ secureContext: tls.createSecureContext() });

export const inPlace: (options: typeof nodes, listener?: () => void) => net.Socket = connect;
export const asSocket: net.Socket = connect(options);
