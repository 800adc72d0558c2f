import type { TLSSocket } from '../../tls-socket';
import type { Session } from '../action';
import { CliError } from '../cli-error';
import type { ConnectionFlags } from '../connection-options';
import { ExitCode } from '../exit-codes';
import { explain } from '../explain';
import { type Opened, openConnection } from '../open-connection';
import { Progress } from '../progress';
import type { PromptOptions } from '../prompts/prompt';
import { silenceOver } from '../prompts/silence';
import { elapsedText } from '../prompts/waiting-line';
import { type SecretFlags, secretsFrom } from '../secret-options';
import type { Target } from '../target';
import { type Line, plainText } from '../terminal';
import { type AnswerFlags, Answers } from './answers';
import { fetchOver, type HttpRequest, type RequestFlags } from './http';
import { Pump } from './pump';
import { StdinBody } from './stdin-body';
import { connectionLine, identityLine } from './summary';

export interface ConnectFlags extends ConnectionFlags, AnswerFlags, RequestFlags, SecretFlags {
  /** Seconds. */
  readonly wait?: number;
  readonly quiet?: boolean;
}

/** Milliseconds. */
const LOOK = 50;

/** One connection and what is said on it, from its beginning to its end. */
export class Talk {
  readonly #session: Session;
  readonly #target: Target;
  readonly #flags: ConnectFlags;
  readonly #answers: Answers;
  #socket: TLSSocket | undefined;
  #waitingFor: string | undefined;
  #progress: Progress | undefined;
  /** Who has stdin when no prompt has it. */
  #reader: Pump | StdinBody | undefined;
  #releasing: NodeJS.Timeout | undefined;
  /** Since when a prompt has been there, and no answer. */
  #openSince: number | undefined;
  #identityTold = '';

  constructor(session: Session, target: Target, flags: ConnectFlags) {
    this.#session = session;
    this.#target = target;
    this.#flags = flags;
    const { terminal, signal } = session;
    const prompts: PromptOptions = { terminal, signal, opened: () => this.#promptOpened() };
    this.#answers = new Answers(prompts, flags, secretsFrom(flags, prompts));
  }

  /** @throws CliError */
  async run(request: HttpRequest | undefined): Promise<void> {
    let opened: Opened | undefined;
    try {
      await this.#answers.prepare();
      this.#waitFor(`Connecting to ${this.#target.authority}`);
      opened = await openConnection(this.#target, this.#flags, {
        clientCertCallback: this.#answers.callback,
        clientCertTimeout: (this.#flags.wait ?? 0) * 1000,
        signal: this.#session.signal,
      });
      await opened.secured;
      await this.#talk(opened, request);
    } catch (error) {
      throw this.#explained(opened === undefined ? explain(error) : opened.explain(error));
    } finally {
      this.#waitFor(undefined);
      opened?.socket.destroy();
      await this.#answers.close();
    }
  }

  async #talk({ socket }: Opened, request: HttpRequest | undefined): Promise<void> {
    this.#socket = socket;
    this.#waitFor(undefined);
    this.#tell(connectionLine(socket, this.#target));
    const tellIdentity = () => {
      const { clientAuth } = socket;
      if (clientAuth.status === 'pending') return;
      const line = identityLine(clientAuth);
      if (plainText(line) === this.#identityTold) return;
      this.#identityTold = plainText(line);
      this.#tell(line);
    };
    tellIdentity();
    await silenceOver();
    if (request === undefined) {
      // A later request is answered by the time that data comes which is behind it.
      socket.on('data', tellIdentity);
      const pump = new Pump(socket);
      this.#reader = pump;
      await pump.run();
      return;
    }
    if (request.body instanceof StdinBody) this.#reader = request.body;
    this.#waitFor(`Waiting for the answer to ${request.method} ${request.path}`);
    const response = await fetchOver(socket, this.#target, request, this.#flags);
    this.#waitFor(undefined);
    tellIdentity();
    this.#tell(`HTTP status: ${response.status}`);
    await response.write(process.stdout);
  }

  #promptOpened(): (answered: boolean) => void {
    this.#progress?.stop();
    clearInterval(this.#releasing);
    this.#reader?.hold();
    this.#openSince = performance.now();
    return (answered) => {
      if (!answered) return;
      this.#openSince = undefined;
      this.#releaseOnceAnswered();
      this.#waitFor(this.#waitingFor);
    };
  }

  /** Behind the choice a token may ask for its PIN, which may be typed already. No event tells of the signature. */
  #releaseOnceAnswered(): void {
    this.#releasing = setInterval(() => {
      if (this.#socket?.clientAuth.status === 'pending') return;
      clearInterval(this.#releasing);
      this.#reader?.release();
    }, LOOK).unref();
  }

  /** Says so, when that takes long, until something else is waited for or nothing. */
  #waitFor(text: string | undefined): void {
    this.#progress?.stop();
    this.#waitingFor = text;
    this.#progress = text === undefined ? undefined : new Progress(this.#session.terminal, text);
  }

  #tell(line: Line): void {
    if (!this.#flags.quiet) this.#session.terminal.err(line);
  }

  /** Where a person was waited for, that is what there is to say. */
  #explained(error: CliError): CliError {
    if (error.code === 'ERR_CLIENT_CERT_TIMEOUT') {
      return new CliError(
        ExitCode.noIdentity,
        error.code,
        `Nobody answered within ${this.#flags.wait} s (--wait), so the connection was closed.`,
        error,
      );
    }
    if (this.#openSince === undefined || error.exitCode !== ExitCode.unreachable) return error;
    const after = elapsedText(performance.now() - this.#openSince);
    return new CliError(
      ExitCode.unreachable,
      error.code,
      `${this.#target.authority} did not wait for the answer: it closed the connection after ${after}. Connect again and answer sooner, or beforehand by --auto and --pin-file.`,
      error,
    );
  }
}
