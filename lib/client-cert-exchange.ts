import type { AsyncResource } from 'node:async_hooks';
import type { NativeConnection } from './binding';
import { CertificateRequest } from './certificate-request';
import { DECLINED, requiredError } from './client-auth';
import { Credential } from './credential';
import type { Diagnostics } from './diagnostics';
import { internalError, signatureError, unusableError } from './failures';
import type { ProtocolSettings } from './protocol-options';
import { type Outcome, Question } from './question';
import { shownCredential } from './read-client-auth';
import { type SignatureScheme, signatureSchemeName } from './signature-schemes';
import { Signing, type SigningOutcome, type SigningTask } from './signing';
import type { Suspension } from './suspension';
import type { ClientCertCallback } from './types';
import { explainWrongSignature } from './wrong-signature';

/** What is known of the server when it asks. */
export interface AskingServer {
  readonly authorized: boolean;
  readonly authorizationError: string | null;
}

/** The connection that is asked. Whom it tells may destroy it. */
export interface AskedConnection {
  /** What is the caller's runs in it. */
  readonly scope: AsyncResource;
  readonly diagnostics: Diagnostics;
  /** `null` once it is destroyed. */
  native(): NativeConnection | null;
  /** There is an answer, a signature, or a suspension to tell of. */
  notify(): void;
}

/**
 * The server's questions for a client certificate, one after another, and what is answered: by the
 * callback, and by the signer of the credential. A connection has one from the first question on.
 */
export class ClientCertExchange {
  /** What the callback chose last. */
  answered: Credential | undefined;
  /** The callback declined a request. */
  declined = false;
  readonly #settings: ProtocolSettings;
  readonly #connection: AskedConnection;
  #question: Question | undefined;
  #answer: Outcome | undefined;
  /** Which of the callback's the server was shown last: not one whose signature is waited for. */
  #shownLast: Credential | undefined;
  #signing: Signing | undefined;
  #signed: SigningOutcome | undefined;

  constructor(settings: ProtocolSettings, connection: AskedConnection) {
    this.#settings = settings;
    this.#connection = connection;
  }

  /** Whether a question was put and not answered yet, or the answer not signed. */
  get waiting(): boolean {
    return (
      (this.#question !== undefined && this.#answer === undefined) ||
      (this.#signing !== undefined && this.#signed === undefined)
    );
  }

  get suspension(): Suspension | null {
    return this.#question?.suspension ?? null;
  }

  /** No answer can be of use any more, though there is still something to read. */
  giveUp(reason: Error): void {
    this.#question?.cancel(reason);
    this.#signing?.cancel(reason);
  }

  /** The connection is over. */
  end(reason: () => Error): void {
    const waits = [this.#question, this.#signing];
    this.#question = undefined;
    this.#signing = undefined;
    for (const wait of waits) wait?.cancel(reason());
  }

  /** What was answered last reaches nobody. */
  abandon(): void {
    this.answered = this.#shownLast;
  }

  /** Puts the server's question. */
  ask(native: NativeConnection, server: AskingServer): void {
    const { scope, diagnostics } = this.#connection;
    this.#answer = undefined;
    this.#question ??= new Question(
      {
        settled: (outcome) => {
          this.#answer = outcome;
          this.#connection.notify();
        },
        suspended: () => {
          diagnostics.suspend('suspension');
          this.#connection.notify();
        },
      },
      this.#settings.clientCertTimeout,
    );
    const request = CertificateRequest.of(native.request(), {
      native: () => this.#connection.native(),
      protocol: native.protocol(),
      servername: this.#settings.servername || null,
      authorized: server.authorized,
      authorizationError: server.authorizationError,
    });
    diagnostics.request(request);
    const question = this.#question;
    if (question === undefined) return;
    // The context's callback may have been taken away between two attempts.
    const callback = this.#callback ?? (() => null);
    scope.runInAsyncScope(() => question.put(request, callback));
    if (this.waiting && question.suspension === null) diagnostics.suspend('promise');
  }

  get #callback(): ClientCertCallback | null {
    const { clientCertCallback, secureContext } = this.#settings;
    return clientCertCallback ?? secureContext.getClientCertCallback();
  }

  /** Tells the machine what was answered, if it was. Returns what the connection fails with. */
  applyAnswer(native: NativeConnection): Error | undefined {
    const answer = this.#answer;
    if (answer === undefined) return undefined;
    if (answer.kind === 'again') {
      // The answer stays until the next call into OpenSSL has led to the callback once more.
      native.askAgain();
      return undefined;
    }
    this.#question = undefined;
    this.#answer = undefined;
    const unusable = answer.kind === 'credential' ? this.#choose(native, answer.credential) : null;
    this.#connection.diagnostics.answer(() =>
      unusable === null ? answer : { kind: 'failure', error: unusable },
    );
    if (this.#connection.native() === null) return undefined;
    if (unusable !== null) return unusable;
    switch (answer.kind) {
      case 'failure':
        return answer.error;
      case 'decline':
        this.declined = true;
        if (this.#settings.requireClientCert) return requiredError(DECLINED);
        native.decline();
        return undefined;
      case 'credential':
        native.answer(Credential.nativeOf(answer.credential));
        return undefined;
    }
  }

  /** Returns why it would not be sent, if so. */
  #choose(native: NativeConnection, chosen: Credential): Error | null {
    const refusal = native.whyNotSent(Credential.nativeOf(chosen));
    this.answered = chosen;
    if (Credential.signerOf(chosen) === null) this.#shownLast = chosen;
    return refusal && unusableError(refusal, Credential.presentationOf(chosen, native.protocol()));
  }

  /** Asks the credential's signer for what the handshake waits for. */
  sign(native: NativeConnection): void {
    const credential = shownCredential(native, this.#settings, this);
    const signer = credential && Credential.signerOf(credential);
    if (credential === undefined || signer === null || signer === undefined) {
      throw new Error('a signature is wanted of a credential that has no signer');
    }
    const { scheme, data } = native.signatureRequest();
    this.#signed = undefined;
    const signing = new Signing((outcome) => {
      this.#signed = outcome;
      this.#connection.notify();
    });
    this.#signing = signing;
    const task: SigningTask = {
      signer,
      data,
      scheme: signatureSchemeName(scheme) as SignatureScheme,
      subject: credential.subject,
    };
    const { scope, diagnostics } = this.#connection;
    diagnostics.sign(credential, task.scheme);
    scope.runInAsyncScope(() => signing.begin(task, this.#settings.clientCertTimeout));
    if (this.waiting) diagnostics.suspend('signature');
  }

  /** Hands the signature to the machine, if it came. Returns what the connection fails with. */
  applySignature(native: NativeConnection, abandoned: boolean): Error | undefined {
    const outcome = this.#signed;
    if (outcome === undefined) return undefined;
    this.#signing = undefined;
    this.#signed = undefined;
    if (abandoned || this.#connection.native() === null) return undefined;
    const { diagnostics } = this.#connection;
    if (outcome.kind === 'failure') {
      diagnostics.signed(() => outcome.error);
      return outcome.error;
    }
    const { signature } = outcome;
    const failure = native.sign(signature);
    if (failure === null) {
      this.#shownLast = this.answered;
      diagnostics.signed(() => null);
      return undefined;
    }
    const { subject, certificate } = shownCredential(native, this.#settings, this) as Credential;
    const { scheme, data } = native.signatureRequest();
    const { publicKey } = certificate;
    const wrong = { signature, scheme: signatureSchemeName(scheme), data, publicKey };
    // Memory may have been short when it was to be checked.
    const error =
      failure.reason === 'signature-wrong'
        ? signatureError(failure, subject, explainWrongSignature(wrong))
        : internalError(failure);
    diagnostics.signed(() => error);
    return error;
  }
}
