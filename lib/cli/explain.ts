/** What went wrong, for the person at the terminal: one clear line with the next step to take, and an exit code. */
import { types } from 'node:util';
import { CliError, interrupted } from './cli-error';
import { whyUnreadable } from './connection-options';
import { ExitCode } from './exit-codes';
import { explainServer } from './explain-server';
import { explainTls } from './explain-tls';
import type { Circumstances, Explanation, Failure } from './explanation';

/** Makes of any error one to show; those that are so already stay as they are. */
export function explain(thrown: unknown, circumstances: Circumstances = {}): CliError {
  const own = withCauses(thrown).find((error) => error instanceof CliError);
  if (own !== undefined) return own;
  const failure: Failure = unwrapped(
    types.isNativeError(thrown) ? thrown : new Error(String(thrown)),
  );
  // Of @inquirer/core, when Ctrl-C is typed at a prompt; told by their names, because it is not loaded here.
  if (failure.name === 'ExitPromptError' || failure.name === 'AbortPromptError') {
    return interrupted();
  }
  const code = failure.code ?? 'CLI_INTERNAL';
  const [exitCode, message] =
    explainNetwork(failure, circumstances) ??
    explainTls(failure, circumstances) ??
    explainIdentity(failure) ??
    explainServer(failure, circumstances) ??
    explainFile(failure) ??
    unknown(failure);
  return new CliError(exitCode, code, message, thrown);
}

/** What a callback of ours throws comes back as the cause of the library's error. */
function withCauses(thrown: unknown): unknown[] {
  const errors: unknown[] = [];
  for (let error = thrown; error instanceof Error && errors.length < 10; error = error.cause) {
    errors.push(error);
  }
  return errors;
}

/** What the library says of callbacks and signers is for those who wrote them. */
const WRAPPERS = new Set(['ERR_CLIENT_CERT_CALLBACK', 'ERR_SIGNER_FAILED']);

function unwrapped(failure: Failure): Failure {
  const isWrapper = WRAPPERS.has(failure.code ?? '') && types.isNativeError(failure.cause);
  return isWrapper ? unwrapped(failure.cause as Failure) : failure;
}

function where({ target }: Circumstances): string {
  return target?.authority ?? 'the server';
}

function explainNetwork(failure: Failure, around: Circumstances): Explanation | undefined {
  const at = where(around);
  const host = around.target?.host ?? 'the host';
  const port = around.target?.port ?? 'this';
  switch (failure.code) {
    case 'ENOTFOUND':
      return [
        ExitCode.unreachable,
        `There is no host named ${host}. Check the spelling, and whether the name needs a VPN or another DNS server.`,
      ];
    case 'EAI_AGAIN':
      return [
        ExitCode.unreachable,
        `The name ${host} cannot be looked up at present: no DNS server answers. Check the network.`,
      ];
    case 'ECONNREFUSED':
      return [
        ExitCode.unreachable,
        `${at} refused the connection: nothing listens there on port ${port}, or a firewall says no. Check the port, and whether the server runs.`,
      ];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return [
        ExitCode.unreachable,
        `There is no way to ${at} from here (${failure.code}). Check the network, or whether a VPN is needed.`,
      ];
    case 'ETIMEDOUT':
      return [
        ExitCode.unreachable,
        `${at} does not answer. Check host and port, and whether a firewall is in between.`,
      ];
    case 'ECONNRESET':
    case 'EPIPE':
      return [ExitCode.unreachable, lost(at, around)];
    default:
      return undefined;
  }
}

function lost(at: string, { pending, firstBytes }: Circumstances): string {
  if (pending) {
    return `${at} closed the connection while its request for a client certificate was open: it did not wait for the answer any longer. Try again, and answer sooner.`;
  }
  return firstBytes === undefined
    ? `${at} closed the connection without a word. Check that a TLS server is on that port; one that begins in plaintext needs --starttls.`
    : `${at} closed the connection in the middle of it. Try again; the server's log may say why.`;
}

function explainIdentity(failure: Failure): Explanation | undefined {
  const { code = '', message } = failure;
  if (code === 'ERR_CLIENT_CERT_NO_MATCH') return [ExitCode.noIdentity, message];
  if (code === 'ERR_PKCS11_URI') return [ExitCode.usage, message];
  if (code === 'ERR_PKCS11_OBJECT') return [ExitCode.noIdentity, message];
  const about = ['ERR_CREDENTIAL_', 'ERR_PKCS11_', 'ERR_STORE_', 'ERR_SIGN'];
  return about.some((start) => code.startsWith(start)) ? [ExitCode.identity, message] : undefined;
}

function explainFile(failure: Failure): Explanation | undefined {
  if (failure.path === undefined || failure.syscall === undefined) return undefined;
  return [ExitCode.identity, `${failure.path} cannot be read: ${whyUnreadable(failure)}.`];
}

function unknown(failure: Failure): Explanation {
  if (failure.code === 'ERR_TLS_ADDON_UNAVAILABLE') return [ExitCode.internal, failure.message];
  const code = failure.code === undefined ? '' : ` (${failure.code})`;
  return [
    ExitCode.internal,
    `Something unexpected went wrong: ${failure.message}${code} Run it again with NODE_DEBUG=tls-client-cert to see where.`,
  ];
}
