/** An HTTP proxy that opens tunnels (`CONNECT`), itself spoken to with or without TLS, and cuts them when told. */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { registerLeftover } from './leftovers';
import { loadPki } from './pki';

export interface ConnectProxyOptions {
  readonly protocol: 'http' | 'https';
  /** Refuses tunnels by this status. */
  readonly status?: number;
  /** Cuts the tunnel before anything went through, or when the server has said its first word. */
  readonly cut?: 'at once' | 'at the first word';
}

export interface ConnectProxy {
  readonly url: string;
  readonly port: number;
  /** Where to, as the clients named it. */
  readonly targets: string[];
  /** Cuts all tunnels, without a word. */
  cut(): void;
  /** Resolves when no tunnel is left. */
  drained(): Promise<void>;
  close(): Promise<void>;
}

export async function startConnectProxy(options: ConnectProxyOptions): Promise<ConnectProxy> {
  const { server: identity } = loadPki();
  const server =
    options.protocol === 'http'
      ? http.createServer()
      : https.createServer({ cert: identity.cert, key: identity.key });
  const targets: string[] = [];
  const ends = new Set<Duplex>();
  let emptied = () => {};
  const keep = (end: Duplex, other?: Duplex) => {
    ends.add(end);
    end.on('error', () => {});
    end.once('close', () => {
      ends.delete(end);
      other?.destroy();
      if (ends.size === 0) emptied();
    });
  };
  const cut = () => {
    for (const end of ends) end.destroy();
  };
  server.on('connect', (request, client: Duplex) => {
    targets.push(String(request.url));
    if (options.status !== undefined) {
      keep(client);
      client.end(`HTTP/1.1 ${options.status} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const target = net.connect(Number(port), hostname === 'localhost' ? '127.0.0.1' : hostname);
    keep(client, target);
    keep(target, client);
    target.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (options.cut === 'at once') client.once('data', cut);
      else if (options.cut === 'at the first word') target.once('data', cut);
      if (options.cut !== 'at once') client.pipe(target);
      if (options.cut === undefined) target.pipe(client);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    forget();
    cut();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const forget = registerLeftover(close);
  const drained = () =>
    new Promise<void>((resolve) => {
      emptied = resolve;
      if (ends.size === 0) resolve();
    });
  return { url: `${options.protocol}://localhost:${port}`, port, targets, cut, drained, close };
}
