import net from 'node:net';
import { CliError } from '../cli-error';
import type { ConnectionFlags } from '../connection-options';
import { ExitCode } from '../exit-codes';
import type { Target } from '../target';
import { type Observed, type ObserveOptions, observe } from './observe';
import type { ProbeReport, VersionFacts } from './report';

/** Those below 1.2 only where `--tls-min` lets them. */
const VERSIONS = ['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1'] as const;
type Version = (typeof VERSIONS)[number];

export interface Probed {
  readonly report: ProbeReport;
  /** The first connection, from which all but the other versions is. */
  readonly observed: Observed;
}

/**
 * Looks at a server by one connection, and at each version of TLS that this did not come to by one more.
 */
export async function probe(
  target: Target,
  flags: ConnectionFlags,
  options: ObserveOptions,
): Promise<Probed> {
  const observed = await observe(target, flags, options);
  const versions: VersionFacts[] = [];
  for (const version of VERSIONS.filter((version) => allowed(version, flags))) {
    if (version === observed.connection.protocol) {
      versions.push(versionFacts(version, observed));
      continue;
    }
    options.tell(`Trying ${version} with ${target.authority}`);
    versions.push(await tried(version, target, flags, options));
  }
  return { report: reportOf(target, flags, observed, versions), observed };
}

function reportOf(
  target: Target,
  flags: ConnectionFlags,
  { connection, server, requests, verdict, http }: Observed,
  versions: readonly VersionFacts[],
): ProbeReport {
  const { host, port } = target;
  const servername = (flags.servername ?? (net.isIP(host) === 0 ? host : null)) || null;
  const starttls = flags.starttls ?? target.starttls ?? null;
  const asked = requests.length > 0;
  return {
    format: 1,
    target: { host, port, servername, starttls },
    connection,
    server,
    asked,
    requests,
    requirement: asked ? verdict.requirement : null,
    requirementReason: asked ? verdict.reason : null,
    http,
    versions,
  };
}

function versionFacts(version: Version, { connection, requests }: Observed): VersionFacts {
  const request = requests.find(({ when }) => when === 'handshake');
  return {
    version,
    accepted: true,
    cipher: connection.cipher,
    alpn: connection.alpn,
    asksInHandshake: request !== undefined,
    certificateTypes: request?.certificateTypes ?? [],
    problem: null,
  };
}

async function tried(
  version: Version,
  target: Target,
  flags: ConnectionFlags,
  { signal, tell }: ObserveOptions,
): Promise<VersionFacts> {
  const only = { minVersion: version, maxVersion: version };
  const options = { hold: 0, decline: false, path: undefined, signal, tell, connect: only };
  try {
    return versionFacts(version, await observe(target, flags, options));
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode === ExitCode.interrupted) throw error;
    const problem = error.exitCode === ExitCode.protocol ? 'not accepted' : error.message;
    return {
      version,
      accepted: false,
      cipher: null,
      alpn: null,
      asksInHandshake: null,
      certificateTypes: [],
      problem,
    };
  }
}

function allowed(version: Version, { tlsMin = '1.2', tlsMax = '1.3' }: ConnectionFlags): boolean {
  const number = Number(version.slice('TLSv'.length));
  return number >= Number(tlsMin) && number <= Number(tlsMax);
}
