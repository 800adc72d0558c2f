// node authenticated-fetch.mts https://localhost:8443/ ca.pem cert.pem key.pem
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'tls-client-cert';
import { connector } from 'tls-client-cert/undici';
import { Agent, type Dispatcher, fetch } from 'undici';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

// undici tells only this channel which connection a request goes out on; it does so just after its
// 'onRequestStart', and nothing comes in between.
let starting: { socket?: TLSSocket } = {};
subscribe('undici:client:sendHeaders', (message) => {
  starting.socket = (message as { socket: TLSSocket }).socket;
});

/** Fails each request whose connection did not authenticate. */
const authenticated: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  let own: { socket?: TLSSocket } = {};
  return dispatch(options, {
    onRequestStart: (controller, context) => {
      own = {};
      starting = own;
      handler.onRequestStart?.(controller, context);
    },
    onResponseStart: (controller, statusCode, headers, statusMessage) => {
      const auth = own.socket?.clientAuth;
      console.log(options.method, options.path, 'certificate:', auth?.status);
      // 'sent', or 'resumed' from a session that was made with it.
      if (!auth?.credential) {
        controller.abort(new Error(`the server does not know who asks: ${auth?.status}`));
        return;
      }
      handler.onResponseStart?.(controller, statusCode, headers, statusMessage);
    },
    onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
    onResponseData: (...args) => handler.onResponseData?.(...args),
    onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
    onResponseError: (...args) => handler.onResponseError?.(...args),
  });
};

const agent = new Agent({
  connect: connector({
    ca: readFileSync(ca),
    clientCertCallback: async () => ({ cert: readFileSync(cert), key: readFileSync(key) }),
  }),
});

try {
  const response = await fetch(url, { dispatcher: agent.compose(authenticated) });
  console.log(response.status, await response.text());
} catch (error) {
  console.error(String((error as Error).cause));
  process.exitCode = 1;
}
await agent.close();
