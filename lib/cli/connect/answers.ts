/** Who the client is, when a server asks: by the flags, or as the person at the terminal chooses. */
import type { CertificateRequest } from '../../certificate-request';
import type { Credential } from '../../credential';
import type { ClientCertCallback } from '../../types';
import { CliError, unlessInterrupted } from '../cli-error';
import { ExitCode } from '../exit-codes';
import { explain } from '../explain';
import type { Asked, Identity } from '../identities';
import { type Looked, lookForIdentities, noIdentities, writeProblems } from '../identities/look';
import { candidatesFor, shortName } from '../prompts/candidates';
import { chooseIdentity } from '../prompts/choose-identity';
import type { PromptOptions } from '../prompts/prompt';
import { styled } from '../terminal';

export interface AnswerFlags {
  readonly identity?: readonly string[];
  readonly pkcs11?: string;
  readonly auto?: boolean;
  readonly decline?: boolean;
}

/** Answers as often as it is asked, the same each time. */
export class Answers {
  readonly #options: PromptOptions;
  readonly #flags: AnswerFlags;
  readonly #secrets: Asked;
  #found: Looked | undefined;
  #answer: { readonly credential: Credential | null } | undefined;

  constructor(options: PromptOptions, flags: AnswerFlags, secrets: Asked) {
    this.#options = options;
    this.#flags = flags;
    this.#secrets = secrets;
  }

  /** Reads what `--identity` names, so that what is wrong with it is told before a server is bothered. */
  async prepare(): Promise<void> {
    const { identity = [], pkcs11, decline } = this.#flags;
    if (decline || (identity.length === 0 && pkcs11 === undefined)) return;
    const found = await this.#find();
    if (found.identities.length === 0) throw noIdentities(found);
    const { terminal } = this.#options;
    if (!terminal.quiet) writeProblems(terminal, found);
  }

  readonly callback: ClientCertCallback = (request, { signal }) => {
    if (this.#flags.decline) return null;
    if (this.#answer !== undefined) return this.#answer.credential;
    return this.#choose(request, AbortSignal.any([signal, this.#options.signal]));
  };

  async close(): Promise<void> {
    await this.#found?.close();
  }

  async #choose(request: CertificateRequest, signal: AbortSignal): Promise<Credential | null> {
    const found = await this.#find();
    const { identities } = found;
    signal.throwIfAborted();
    if (identities.length === 0) throw noneAtHand(found);
    const credential = this.#flags.auto
      ? await this.#firstThatFits(request, identities, signal)
      : await this.#chosen(request, identities, signal);
    this.#answer = { credential };
    return credential;
  }

  async #chosen(
    request: CertificateRequest,
    identities: readonly Identity[],
    signal: AbortSignal,
  ): Promise<Credential | null> {
    const identity = await chooseIdentity(request, identities, { ...this.#options, signal });
    return identity === null ? null : identity.credential({ signal });
  }

  /** A PFX has to be opened to be judged, and a key to be used: one that cannot be is passed over like one that does not fit. */
  async #firstThatFits(
    request: CertificateRequest,
    identities: readonly Identity[],
    signal: AbortSignal,
  ): Promise<Credential> {
    const against: string[] = [];
    const locked: CliError[] = [];
    for (const identity of identities) {
      const reasons = reasonsAgainst(request, identity);
      const opened = reasons.length === 0 ? await openedOr(identity, signal) : undefined;
      if (opened instanceof CliError) {
        locked.push(opened);
        continue;
      }
      if (opened !== undefined) {
        reasons.push(...reasonsAgainst(request, identity));
        if (reasons.length === 0) {
          this.#tellOf(locked);
          return opened;
        }
      }
      against.push(`${shortName(identity)}: ${reasons.join(' ')}`);
    }
    const [first] = locked;
    if (first !== undefined) {
      const message = [...locked.map(({ message }) => message), ...against].join(' ');
      throw new CliError(first.exitCode, first.code, message, first);
    }
    throw new CliError(
      ExitCode.noIdentity,
      'CLI_NO_IDENTITY_FITS',
      `No certificate at hand fits what the server asks for. ${against.join(' ')} --decline goes on without.`,
    );
  }

  /** Who meant one of these should not have to wonder why another was sent. */
  #tellOf(locked: readonly CliError[]): void {
    const { terminal } = this.#options;
    if (terminal.quiet) return;
    for (const { message } of locked) terminal.err([styled('yellow', 'Note:'), ` ${message}`]);
  }

  async #find(): Promise<Looked> {
    const { identity = [], pkcs11: module } = this.#flags;
    const { terminal } = this.#options;
    this.#found ??= await lookForIdentities(terminal, identity, { module, ...this.#secrets });
    return this.#found;
  }
}

/** Its credential, or why there is none. */
function openedOr(identity: Identity, signal: AbortSignal): Promise<Credential | CliError> {
  return identity
    .credential({ signal })
    .catch((thrown) => unlessInterrupted(explain(thrown), signal));
}

/** In sentences; none for one that nobody can say anything of yet. */
function reasonsAgainst(request: CertificateRequest, identity: Identity): string[] {
  return candidatesFor(request, [identity]).flatMap(({ reasons }) =>
    reasons.map(({ message }) => message),
  );
}

function noneAtHand(found: Looked): CliError {
  const { exitCode, code, message } = noIdentities(found);
  return new CliError(
    exitCode,
    code,
    `The server asks for a certificate. ${message} --decline goes on without.`,
  );
}
