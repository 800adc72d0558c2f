/** How the program ends; `docs/cli.md` lists the same. */
export const ExitCode = {
  /** All went well. */
  ok: 0,
  /** A defect of the program, or something that it does not know. */
  internal: 1,
  /** The command line is wrong: an option, a value, a file that an option names. */
  usage: 2,
  /** The server cannot be reached: no such host, refused, no answer in time, lost. */
  unreachable: 3,
  /** What answers speaks no TLS, or none that this side can. */
  protocol: 4,
  /** The server is not trusted. */
  untrusted: 5,
  /** The server refused the client certificate, or demanded one and got none. */
  refused: 6,
  /** No identity was found, or none fits. */
  noIdentity: 7,
  /** An identity cannot be read or used: damaged, wrong PIN or passphrase. */
  identity: 8,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
