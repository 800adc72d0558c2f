/** Who the client is, when a server asks: by the flags, or as the person at the terminal chooses. */
import type { CertificateRequest } from '../../certificate-request';
import type { Credential } from '../../credential';
import type { ClientCertCallback } from '../../types';
import { CliError } from '../cli-error';
import { ExitCode } from '../exit-codes';
import type { Asked, Identity } from '../identities';
import { type Looked, lookForIdentities, noIdentities, writeProblems } from '../identities/look';
import { candidatesFor, shortName } from '../prompts/candidates';
import { chooseIdentity } from '../prompts/choose-identity';
import type { PromptOptions } from '../prompts/prompt';

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
    const identity = this.#flags.auto
      ? await firstThatFits(request, identities, signal)
      : await chooseIdentity(request, identities, { ...this.#options, signal });
    const credential = identity === null ? null : await identity.credential({ signal });
    this.#answer = { credential };
    return credential;
  }

  async #find(): Promise<Looked> {
    const { identity = [], pkcs11: module } = this.#flags;
    const { terminal } = this.#options;
    this.#found ??= await lookForIdentities(terminal, identity, { module, ...this.#secrets });
    return this.#found;
  }
}

/** A PFX has to be opened to be judged. */
async function firstThatFits(
  request: CertificateRequest,
  identities: readonly Identity[],
  signal: AbortSignal,
): Promise<Identity> {
  const against: string[] = [];
  for (const identity of identities) {
    if (identity.certificate === undefined) await identity.credential({ signal });
    const [candidate] = candidatesFor(request, [identity]);
    const reasons = candidate?.reasons ?? [];
    if (reasons.length === 0) return identity;
    against.push(`${shortName(identity)}: ${reasons.map(({ message }) => message).join(' ')}`);
  }
  throw new CliError(
    ExitCode.noIdentity,
    'CLI_NO_IDENTITY_FITS',
    `No certificate at hand fits what the server asks for. ${against.join(' ')} --decline goes on without.`,
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
