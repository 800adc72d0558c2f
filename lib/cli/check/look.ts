/**
 * One connection, up to the server's request, and what is to be said of identities there.
 */
import type { CertificateRequest } from '../../certificate-request';
import type { ConnectionFlags } from '../connection-options';
import { readAnswer, requestFor } from '../one-request';
import { openConnection } from '../open-connection';
import type { Target } from '../target';

export interface Look {
  readonly target: Target;
  readonly flags: ConnectionFlags;
  /** Asked for by HTTP where the handshake does not ask; undefined: nothing is. */
  readonly path: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Suspends at the request, lets `judge` look at it, and hangs up: nothing is sent.
 *
 * @returns Undefined when the server does not ask.
 * @throws CliError when it does not come to that.
 */
export async function atRequest<T>(
  { target, flags, path, signal }: Look,
  judge: (request: CertificateRequest) => T,
): Promise<T | undefined> {
  let tell: (judged: { value: T }) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const asked = new Promise<{ value: T }>((resolve, reject) => {
    tell = resolve;
    fail = reject;
  });
  const opened = await openConnection(target, flags, {
    signal,
    clientCertCallback: (request) => {
      try {
        tell({ value: judge(request) });
      } catch (error) {
        fail(error);
      }
      return new Promise(() => {});
    },
    ...(path !== undefined && flags.alpn === undefined && { ALPNProtocols: ['http/1.1'] }),
  });
  try {
    const first = await Promise.race([asked, opened.secured]);
    if (first !== undefined) return first.value;
    if (path === undefined) return undefined;
    opened.socket.write(requestFor(path, target, flags.servername));
    const answered = readAnswer(opened.socket, flags.timeout * 1000).then(
      () => undefined,
      (error: unknown) => Promise.reject(opened.explain(error)),
    );
    return (await Promise.race([asked, answered]))?.value;
  } finally {
    opened.socket.destroy();
  }
}
