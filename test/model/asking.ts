/** The model of the server's questions: what was asked, what the program answered, what the server may see. */
import { type CertificateRequest, Credential, SUSPEND, type Suspension } from '../../lib/index';
import type { ClientCertCallback } from '../../lib/types';
import { loadPki } from '../support/pki';
import { signer, signWith } from '../support/signers';
import type { Answer, Setup } from './scenario';

export class ModelError extends Error {
  readonly code = 'ERR_MODEL';
}

/** Who can be answered, by name. Parsed once, as a program would. */
export const credentials = (() => {
  const { clients } = loadPki();
  const of = ({ cert, key }: { cert: string; key: string }) => new Credential({ cert, key });
  return { A: of(clients.ec256), B: of(clients.ed25519), preset: of(clients.rsa) };
})();

const NAMES: Readonly<Record<string, string>> = {
  A: 'client ec256',
  B: 'client ed25519',
  signer: 'client ec384',
  preset: 'client rsa',
  decline: 'nobody',
};

type Reply = ReturnType<ClientCertCallback>;

/** One request of the server's, as the program sees it. */
interface Question {
  attempt: number;
  state: 'open' | 'asked again' | 'answered' | 'failed';
  /** It was answered while somebody may have ended the connection: whether it counted is not known. */
  racing: boolean;
  answer: string | undefined;
  readonly signal: AbortSignal;
  plan: Answer;
  /** Fulfils the promise that the callback returned. */
  hold: ((reply: unknown) => void) | undefined;
  fail: ((error: Error) => void) | undefined;
  suspension: Suspension | undefined;
}

/** Everything that the program has to do with questions. What must not be is told to `violated`. */
export class Asking {
  readonly questions: Question[] = [];
  readonly suspensions: Suspension[] = [];
  /** From now on every question is answered, at once. */
  willing = false;
  #next = 0;
  #signatures: (() => void)[] = [];
  readonly #setup: Setup;
  readonly #violated: (what: string) => void;
  readonly #happened: (event: string) => void;
  readonly #permit: (...codes: string[]) => void;

  constructor(
    setup: Setup,
    model: {
      violated(what: string): void;
      happened(event: string): void;
      permit(...codes: string[]): void;
    },
  ) {
    this.#setup = setup;
    this.#violated = (what) => model.violated(what);
    this.#happened = (event) => model.happened(event);
    this.#permit = (...codes) => model.permit(...codes);
  }

  get open(): Question | undefined {
    const last = this.questions.at(-1);
    return last?.state === 'open' ? last : undefined;
  }

  /** What the program answers is used for requests to come. */
  #installed(upTo: number): boolean {
    if (this.#setup.reselect) return false;
    return this.questions
      .slice(0, upTo)
      .some(({ state, answer }) => state === 'answered' && answer !== NAMES.decline);
  }

  readonly callback: ClientCertCallback = (request, { signal }) => {
    const question = this.#asked(request, signal);
    this.#happened('question');
    if (this.willing) question.plan = 'at once A';
    return this.#reply(question);
  };

  #asked(request: CertificateRequest, signal: AbortSignal): Question {
    const last = this.questions.at(-1);
    const plan = this.#setup.answers[this.#next++] ?? 'at once A';
    if (this.#setup.preset)
      this.#violated('the callback was asked in spite of a certificate set in advance');
    if (last?.state === 'open') this.#violated('asked again before the last question was answered');
    if (last?.state === 'failed')
      this.#violated('asked again after an answer that fails the connection');
    const again = last?.state === 'asked again' ? last : undefined;
    const attempt = (again?.attempt ?? 0) + 1;
    if (request.attempt !== attempt) {
      this.#violated(`attempt ${request.attempt} in place of ${attempt}`);
    }
    if (again !== undefined) {
      again.attempt = attempt;
      again.state = 'open';
      again.plan = plan;
      again.suspension = undefined;
      if (again.signal !== signal) this.#violated('another signal for the same question');
      return again;
    }
    if (this.#installed(this.questions.length)) {
      this.#violated('asked though the certificate of an earlier answer is installed');
    }
    if (signal.aborted) this.#violated('asked with a signal that has aborted');
    const question: Question = {
      attempt,
      state: 'open',
      racing: false,
      answer: undefined,
      signal,
      plan,
      hold: undefined,
      fail: undefined,
      suspension: undefined,
    };
    this.questions.push(question);
    return question;
  }

  #reply(question: Question): Reply {
    const [how, what] = split(question.plan);
    if (how === 'suspend') return SUSPEND;
    if (how === 'at once') {
      this.#answered(question, what);
      if (what === 'throw') throw new ModelError('the callback throws');
      return this.#value(what) as Reply;
    }
    return new Promise<unknown>((resolve, reject) => {
      question.hold = resolve;
      question.fail = reject;
      if (how === 'turns later')
        setImmediate(() => setImmediate(() => this.#keepPromise(question)));
    }) as Reply;
  }

  /** What stands for `what` as an answer. */
  #value(what: string): unknown {
    switch (what) {
      case 'A':
      case 'B':
        return credentials[what];
      case 'signer':
        return this.#signing();
      case 'decline':
        return null;
      case 'garbage':
        return 42;
      default:
        throw new Error(`no such answer: ${what}`);
    }
  }

  /** A credential whose key takes its time. */
  #signing(): Credential {
    const { cert, key } = loadPki().clients.ec384;
    return new Credential({
      cert,
      key: signer(({ data, scheme, signal }) => {
        if (signal.aborted) this.#violated('a signature was wanted of a signal that has aborted');
        return new Promise((resolve) => {
          const sign = () => resolve(signWith(key, data, scheme));
          if (this.willing) setImmediate(sign);
          else this.#signatures.push(sign);
          this.#happened('signature');
        });
      }),
    });
  }

  #answered(question: Question, what: string): void {
    // Whoever ends the connection from within the callback has not answered.
    if (question.signal.aborted) return;
    if (what === 'throw' || what === 'garbage') {
      question.state = 'failed';
      this.#permit(what === 'throw' ? 'ERR_CLIENT_CERT_CALLBACK' : 'ERR_CLIENT_CERT_ANSWER');
      return;
    }
    if (what === 'decline' && this.#setup.requires) this.#permit('ERR_CLIENT_CERT_REQUIRED');
    question.state = 'answered';
    question.answer = NAMES[what] as string;
  }

  #keepPromise(question: Question): void {
    const { hold, fail } = question;
    if (hold === undefined || fail === undefined) return;
    question.hold = question.fail = undefined;
    const [, what] = split(question.plan);
    if (question.state === 'open' && !question.signal.aborted) {
      question.racing = true;
      this.#answered(question, this.willing ? 'A' : what);
    }
    if (!this.willing && what === 'throw') fail(new ModelError('the promise rejects'));
    else hold(this.#value(this.willing ? 'A' : what));
  }

  // ---- what the program does later

  suspended(suspension: Suspension): void {
    if (this.suspensions.includes(suspension)) this.#violated('one suspension was told of twice');
    this.suspensions.push(suspension);
    const { open } = this;
    if (open === undefined) {
      this.#violated("'suspend' without an open question");
      return;
    }
    if (split(open.plan)[0] !== 'suspend') this.#violated("'suspend' though nobody suspended");
    open.suspension = suspension;
    if (suspension.attempt !== open.attempt) this.#violated('a suspension of another attempt');
  }

  /** Fulfils what the callback promised. */
  settle(): void {
    const { open } = this;
    if (open !== undefined) this.#keepPromise(open);
  }

  sign(): void {
    for (const sign of this.#signatures.splice(0)) sign();
  }

  resume(how: 'again' | 'answer' | 'promise' | 'abort'): void {
    const { open } = this;
    const suspension = open?.suspension;
    if (open === undefined || suspension === undefined) {
      this.tryOld();
      return;
    }
    open.suspension = undefined;
    const dead = open.signal.aborted;
    try {
      this.#use(open, suspension, how, dead);
      if (dead) this.#violated('a suspension was of use after its signal had aborted');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!dead || code !== 'ERR_SUSPENSION_SPENT') {
        this.#violated(`${how} of a suspension threw ${code ?? error}`);
      }
    }
  }

  #use(open: Question, suspension: Suspension, how: string, dead: boolean): void {
    const what = this.willing ? 'A' : split(open.plan)[1];
    if (how === 'again') {
      if (!dead) open.state = 'asked again';
      suspension.resume();
    } else if (how === 'abort') {
      if (!dead) {
        open.state = 'failed';
        this.#permit('ERR_CLIENT_CERT_ABORTED');
      }
      suspension.abort(new ModelError('the program gave up'));
    } else if (what === 'throw') {
      if (!dead) this.#answered(open, what);
      const rejected = Promise.reject(new ModelError('the answer rejects'));
      // Of a suspension that is spent nobody takes it.
      rejected.catch(() => {});
      suspension.resume(rejected);
    } else {
      const value = this.#value(what) as Credential | null;
      if (!dead) {
        open.racing = true;
        this.#answered(open, what);
      }
      suspension.resume(how === 'promise' ? Promise.resolve(value) : value);
    }
  }

  /** Those that were used, or whose connection is over: the documented error, and no harm. */
  tryOld(all = false): void {
    const used = this.suspensions.filter((it) => all || it !== this.open?.suspension);
    for (const suspension of used) {
      for (const method of ['resume', 'abort'] as const) {
        try {
          suspension[method]();
          this.#violated(`${method}() of a spent suspension did not throw`);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ERR_SUSPENSION_SPENT') {
            this.#violated(`${method}() of a spent suspension threw ${error}`);
          }
        }
      }
    }
  }

  /** Answers whatever is open, and all that may come. */
  becomeWilling(): void {
    this.willing = true;
    this.sign();
    this.settle();
    if (this.open?.suspension !== undefined) this.resume('answer');
  }

  // ---- what must be true

  /**
   * Whether what the server was shown is what the program answered, in order.
   *
   * @param unsure - Where the server saw nobody it may not have asked.
   * @returns How many questions it has no answer to.
   */
  compare(shown: readonly string[], unsure: boolean): number {
    const counts = (name: string | undefined) => !unsure || name !== NAMES.decline;
    const questions = this.questions.filter(({ answer }) => counts(answer));
    let at = 0;
    let installed = this.#setup.preset ? NAMES.preset : undefined;
    for (const name of shown.filter(counts)) {
      let expected = installed;
      if (expected === undefined || (this.#setup.reselect && !this.#setup.preset)) {
        const question = questions[at++];
        expected = question?.state === 'answered' ? question.answer : undefined;
        if (expected !== NAMES.decline && !this.#setup.reselect) installed = expected;
      }
      if (name !== expected) {
        this.#violated(
          `the server was shown ${name}, and the program answered ${expected ?? 'nothing'}`,
        );
      }
    }
    return questions.length - at;
  }

  /** Once the connection has closed. */
  closed(): void {
    for (const { state, signal, racing } of this.questions) {
      if (state === 'open' || state === 'asked again') {
        if (!signal.aborted)
          this.#violated('a question was left open, and its signal did not abort');
        const { code } = (signal.reason ?? {}) as NodeJS.ErrnoException;
        if (typeof code !== 'string') this.#violated('a signal aborted without a typed reason');
      } else if (state === 'answered' && signal.aborted && !racing) {
        this.#violated('the signal of an answered question aborted');
      }
    }
    this.tryOld(true);
    for (const question of this.questions) this.#keepPromise(question);
    this.sign();
  }
}

function split(answer: Answer): [how: string, what: string] {
  const at = answer.lastIndexOf(' ');
  return [answer.slice(0, at), answer.slice(at + 1)];
}
