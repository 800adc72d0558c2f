/** What a probe found: the very object that `--json` prints, see `docs/cli.md`. */

export interface ProbeReport {
  /** Grows when a field goes, or changes its meaning; new fields may come at any time. */
  readonly format: 1;
  readonly target: {
    readonly host: string;
    readonly port: number;
    /** The name that was asked for (SNI). */
    readonly servername: string | null;
    readonly starttls: string | null;
  };
  readonly connection: ConnectionFacts;
  readonly server: ServerFacts;
  /** Whether a client certificate was asked for, at any time. */
  readonly asked: boolean;
  readonly requests: readonly RequestFacts[];
  /** Whether the server goes on without: known only with `--decline`. `null` where it never asked. */
  readonly requirement: Requirement | null;
  /** What made that known, in words. */
  readonly requirementReason: string | null;
  /** With `--path`. */
  readonly http: HttpFacts | null;
  readonly versions: readonly VersionFacts[];
}

export type Requirement = 'required' | 'optional' | 'unknown';

export interface ConnectionFacts {
  readonly protocol: string | null;
  readonly cipher: string | null;
  /** For instance `X25519`. */
  readonly keyExchange: string | null;
  readonly alpn: string | null;
}

export interface ServerFacts {
  readonly trusted: boolean;
  /** Why not, as a code, for instance `CERT_HAS_EXPIRED`. */
  readonly reason: string | null;
  readonly explanation: string | null;
  /** As it sent them, its own first. */
  readonly certificates: readonly CertificateFacts[];
}

export interface CertificateFacts {
  /** RFC 4514, as all names. */
  readonly subject: string;
  readonly issuer: string;
  /** For instance `DNS:example.com`. */
  readonly subjectAltNames: readonly string[];
  readonly serialNumber: string;
  /** ISO 8601; `null` where the certificate has something that is no date. */
  readonly validFrom: string | null;
  readonly validTo: string | null;
  /** For instance `RSA 2048`, `EC P-256`, `Ed25519`. */
  readonly key: string;
  /** Upper-case hexadecimal with colons. */
  readonly fingerprint256: string;
}

export interface RequestFacts {
  readonly when: 'handshake' | 'renegotiation' | 'post-handshake';
  /** The path of the HTTP request that it came after. */
  readonly path: string | null;
  readonly protocol: string;
  /** Empty: any. */
  readonly certificateAuthorities: readonly AuthorityFacts[];
  /** IANA names, in the server's order. */
  readonly signatureSchemes: readonly string[];
  /** TLS 1.2 only, else empty. */
  readonly certificateTypes: readonly string[];
  readonly answer: 'none' | 'declined';
  /** Milliseconds for which it was left open. */
  readonly heldMs: number;
  /** Whether the server went while it was open. */
  readonly serverGaveUp: boolean;
}

export interface AuthorityFacts {
  readonly name: string;
  readonly commonName: string | null;
}

export interface HttpFacts {
  readonly path: string;
  /** Of the answer, where there was one. */
  readonly status: number | null;
  /** Why it was not asked for, or not answered. */
  readonly problem: string | null;
}

export interface VersionFacts {
  readonly version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  readonly accepted: boolean;
  readonly cipher: string | null;
  readonly alpn: string | null;
  /** Whether a client certificate is asked for in the handshake; `null` where there was none. */
  readonly asksInHandshake: boolean | null;
  readonly certificateTypes: readonly string[];
  /** Why it was not accepted. */
  readonly problem: string | null;
}
