/**
 * A private key on a token, as a signer.
 */
import type { KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import type { SignatureScheme } from '../../signature-schemes';
import type { SignContext, Signer } from '../../signer';
import { unlessAborted } from '../unless-aborted';
import { asError, isStale, OperationFailed, tokenError, tokenName } from './failures';
import type { Logins } from './logins';
import type { SigningVariant, SignReply, TokenId } from './protocol';
import { finished, variantsOf } from './schemes';
import type { Operator } from './thread';

export interface TokenKeyFacts {
  readonly token: TokenId;
  /** CKA_ID. */
  readonly id: Uint8Array;
  /** The certificate's label. */
  readonly label: string;
  /** The certificate's. */
  readonly publicKey: KeyObject;
  readonly schemes: readonly SignatureScheme[];
}

/**
 * Signs on the token. Sessions and handles are found anew, once for each signature, when the token was
 * away or somebody closed them.
 */
export class TokenKey implements Signer {
  readonly #facts: TokenKeyFacts;
  readonly #thread: Operator;
  readonly #logins: Logins;

  constructor(facts: TokenKeyFacts, thread: Operator, logins: Logins) {
    this.#facts = facts;
    this.#thread = thread;
    this.#logins = logins;
  }

  get schemes(): readonly SignatureScheme[] {
    return this.#facts.schemes;
  }

  async sign(
    data: Uint8Array,
    scheme: SignatureScheme,
    { signal }: SignContext,
  ): Promise<Uint8Array> {
    const { publicKey } = this.#facts;
    const variants = variantsOf(publicKey, scheme, data);
    // A prompt is an operation under way too, though the thread is idle.
    const release = this.#thread.hold();
    const signing = this.#signTwice(variants, signal).finally(release);
    try {
      // What the token has begun it goes on with; nobody waits for that.
      const { mechanism, signature } = await unlessAborted(signing, signal);
      return finished(publicKey, mechanism, signature);
    } catch (error) {
      const { token, label } = this.#facts;
      throw asError(error, { path: this.#thread.path, token, object: label });
    }
  }

  [inspect.custom](): string {
    return `Pkcs11Key <${this.#facts.label}, ${this.schemes.join(', ')}>`;
  }

  async #signTwice(variants: readonly SigningVariant[], signal: AbortSignal) {
    try {
      return await this.#signOnce(variants, signal);
    } catch (error) {
      if (!(error instanceof OperationFailed) || !isStale(error.failure)) throw error;
      await this.#thread.request('forget', { token: this.#facts.token }, signal);
      return this.#signOnce(variants, signal);
    }
  }

  async #signOnce(
    variants: readonly SigningVariant[],
    signal: AbortSignal,
  ): Promise<SignReply & { status: 'signed' }> {
    // Others may still share the thread.
    this.#logins.throwIfClosed();
    const { token, id, label } = this.#facts;
    const request = { token, id, variants };
    let reply = await this.#thread.request('sign', request, signal);
    if (reply.status === 'login') {
      await this.#logins.login(token, label, signal);
      reply = await this.#thread.request('sign', request, signal);
    }
    if (reply.status === 'signature-pin') {
      reply = await this.#logins.forSignature(token, label, signal, (pin, until) =>
        this.#thread.request('sign', { ...request, pin }, until),
      );
    }
    if (reply.status === 'signed') return reply;
    throw tokenError(
      'logged-out',
      `${tokenName(token)} was logged out while it was to sign. Connect again.`,
    );
  }
}
