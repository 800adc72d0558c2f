/** HTTP requests, over connections that are kept or one for each, by each client. */
import https from 'node:https';
import tls from 'node:tls';
import { request, Agent as UndiciAgent } from 'undici';
import { Agent } from '../../lib/agents/https';
import { connector } from '../../lib/agents/undici';
import { createSecureContext } from '../../lib/index';
import type { RequestsSample, Setup, WebClientKind, WebTask } from '../messages';
import { PARAMETERS } from '../parameters';
import { quantile } from '../report';
import { credentialOf } from './sockets';

type Ask = () => Promise<void>;

/** The client of the one kind, and of the one way to keep connections, that this process measures. */
let ask: Ask | undefined;

export async function measureWeb(setup: Setup, task: WebTask): Promise<RequestsSample> {
  ask ??= askers(setup, task)[task.kind]();
  const asking = ask;
  const elapsed: number[] = [];
  let left = task.count;
  const worker = async () => {
    while (left-- > 0) {
      const start = process.hrtime.bigint();
      await asking();
      elapsed.push(Number(process.hrtime.bigint() - start) / 1000);
    }
  };
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await Promise.all(Array.from({ length: task.underWay }, worker));
  const { user, system } = process.cpuUsage(cpu);
  const total = Number(process.hrtime.bigint() - wall) / 1000;
  elapsed.sort((a, b) => a - b);
  return {
    cpu: (user + system) / task.count,
    wall: total / task.count,
    p50: quantile(elapsed, 0.5),
    p99: quantile(elapsed, 0.99),
  };
}

/** Each function makes what its requests share. Nobody resumes sessions: a callback's would be another's. */
function askers(setup: Setup, { keep, underWay }: WebTask): Record<WebClientKind, () => Ask> {
  const { serverCa: ca, clientCert: cert, clientKey: key } = setup.keys;
  const url = `https://localhost:${setup.port}/`;
  // Of a name two addresses would be tried.
  const common = { maxCachedSessions: 0, lookup } as const;
  const forAgent = { ...common, keepAlive: keep, maxSockets: underWay };
  const forUndici = { connections: underWay, pipelining: keep ? 1 : 0 };
  const contextOfNode = () => tls.createSecureContext({ ...PARAMETERS, ca, cert, key });
  const contextOfOurs = () => {
    const credential = credentialOf(setup);
    return createSecureContext({ ...PARAMETERS, ca, clientCertCallback: () => credential });
  };
  const byHttps = (agent: https.Agent) => () => get(url, agent);
  const byUndici = (dispatcher: UndiciAgent) => async () => {
    const { body } = await request(url, { dispatcher });
    await body.dump();
  };
  return {
    https: () => byHttps(new https.Agent({ ...forAgent, secureContext: contextOfNode() })),
    'https-ours': () => byHttps(new Agent({ ...forAgent, secureContext: contextOfOurs() })),
    undici: () =>
      byUndici(
        new UndiciAgent({ ...forUndici, connect: { ...common, secureContext: contextOfNode() } }),
      ),
    'undici-ours': () => {
      const connect = connector({ ...common, secureContext: contextOfOurs() });
      return byUndici(new UndiciAgent({ ...forUndici, connect }));
    },
  };
}

const lookup = ((
  _name: string,
  options: { all?: boolean },
  found: (...args: unknown[]) => void,
) => {
  const address = { address: '127.0.0.1', family: 4 };
  if (options.all) found(null, [address]);
  else found(null, address.address, address.family);
}) as unknown as typeof import('node:dns').lookup;

function get(url: string, agent: https.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    https
      .get(url, { agent }, (response) => {
        response.on('error', reject).on('end', resolve).resume();
      })
      .on('error', reject);
  });
}
