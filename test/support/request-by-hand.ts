/** A server's request made by hand, for tests that need no connection. */
import type { NativeConnection } from '../../lib/binding';
import { CertificateRequest } from '../../lib/certificate-request';

export interface Asked {
  /** Names in DER. */
  readonly authorities?: Buffer[];
  /** Code points of ClientCertificateType. */
  readonly certificateTypes?: number[];
  /** What `request.supports()` says against a credential, by text in its certificate. */
  readonly against?: Readonly<Record<string, string>>;
}

export function requestByHand({
  authorities = [],
  certificateTypes = [],
  against = {},
}: Asked = {}) {
  const native = {
    whyNotSent(credential: Parameters<NativeConnection['whyNotSent']>[0]) {
      const [leaf] = credential.certificates();
      const text = Object.keys(against).find((key) => leaf?.includes(key));
      if (text === undefined) return null;
      return { reason: against[text] ?? '', index: 0, detail: 'a key of 8 bits', stack: [] };
    },
  };
  return CertificateRequest.of(
    { phase: 'handshake', authorities, certificateTypes, signatureSchemes: [], attempt: 1 },
    {
      native: () => native as unknown as NativeConnection,
      protocol: 'TLSv1.2',
      servername: null,
      authorized: true,
      authorizationError: null,
    },
  );
}
