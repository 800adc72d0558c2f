import type { Command } from 'commander';
import { action, type GlobalFlags, type Session } from '../action';
import { attempt, type Outcome } from '../check/attempt';
import { type Asked, askedBy, judge, type Verdict } from '../check/judge';
import { atRequest, type Look } from '../check/look';
import { type Checked, checkedRecord, writeAsked, writeChecked } from '../check/report';
import { saidBy } from '../check/words';
import { type CliError, unlessInterrupted, usageError } from '../cli-error';
import { addConnectionOptions, type ConnectionFlags } from '../connection-options';
import { ExitCode } from '../exit-codes';
import { explain } from '../explain';
import type { Asked as AskedForSecrets, Identity } from '../identities';
import {
  exitCodeOf,
  type Looked,
  lookForIdentities,
  noIdentities,
  writeProblems,
} from '../identities/look';
import { problemRecord } from '../identities/summary';
import { during, type Progress } from '../progress';
import { addSecretOptions, type SecretFlags, secretsFrom } from '../secret-options';
import { parseTarget, type Target } from '../target';

interface CheckFlags extends ConnectionFlags, SecretFlags, GlobalFlags {
  readonly identity?: readonly string[];
  readonly pkcs11?: string;
  readonly path?: string;
  readonly try?: boolean;
  readonly all?: boolean;
}

const EXAMPLES = `
No certificate is sent without --try. Without --identity it takes what \`tls-client-cert ls\` lists: this folder, ~/.postgresql and ~/.globus, and the tokens that the system's PKCS#11 module knows.

Examples:
  $ tls-client-cert check example.com:443 --identity alice.p12
  $ tls-client-cert check https://example.com/members --identity ~/certs --try
  $ tls-client-cert check --starttls postgres db.example --identity 'pkcs11:token=card' --json`;

export function registerCheck(program: Command): void {
  const command = program
    .command('check')
    .description('Say of each identity whether a server would be sent it, and why not.')
    .argument('<target>', 'host:port or URL')
    .option(
      '-i, --identity <source>',
      'file (PEM, DER, PFX), folder or pkcs11: URI (repeatable)',
      (source: string, sources: string[] = []) => [...sources, source],
    )
    .option('--pkcs11 <module>', 'look on the tokens of this PKCS#11 module')
    .option('--path <path>', 'ask for this path by HTTP, where only some want a certificate')
    .option('--try', 'connect as each that would be sent, and tell what the server says to it')
    .option('--all', 'with --try: as each that can be sent, whatever speaks against it')
    .option('--json', 'print one JSON object, for machines');
  addConnectionOptions(addSecretOptions(command))
    .addHelpText('after', EXAMPLES)
    .action(
      action<CheckFlags>((session, [target = ''], flags) =>
        new Check(session, parseTarget(target, flags.starttls), flags).run(),
      ),
    );
}

class Check {
  readonly #session: Session;
  readonly #target: Target;
  readonly #flags: CheckFlags;
  #progress: Progress | undefined;

  constructor(session: Session, target: Target, flags: CheckFlags) {
    if (flags.all && !flags.try) throw usageError('--all is for --try: say both.');
    this.#session = session;
    this.#target = target;
    this.#flags = flags;
  }

  async run(): Promise<ExitCode> {
    const { terminal } = this.#session;
    const { identity = [], pkcs11: module } = this.#flags;
    const look = this.#look();
    const asked = this.#whomToAsk();
    const found = await lookForIdentities(terminal, identity, { module, ...asked });
    try {
      if (found.identities.length === 0) throw noIdentities(found);
      const locked = await this.#unlock(found.identities);
      const judged = await during(
        terminal,
        `Asking ${this.#target.authority} what it wants`,
        atRequest(look, (request) => ({
          asked: askedBy(request),
          verdicts: found.identities.map((one) => judge(request, one, locked)),
        })),
      );
      if (judged === undefined) return this.#notAsked(found);
      const { asked, verdicts } = judged;
      const checked = this.#flags.try ? await this.#try(look, asked, verdicts) : plain(verdicts);
      this.#write(found, asked, checked);
      return exitCode(checked) ?? exitCodeOf(found);
    } finally {
      await found.close();
    }
  }

  #whomToAsk(): AskedForSecrets {
    const { terminal, signal } = this.#session;
    // A prompt needs the line that moves.
    const opened = () => {
      this.#progress?.stop();
      return () => {};
    };
    const prompts = { terminal, signal, opened };
    const { pin } = secretsFrom(this.#flags, prompts);
    // No server waits for what is opened before it is asked.
    const { passphrase } = secretsFrom(this.#flags, { ...prompts, serverWaits: false });
    return { pin, passphrase };
  }

  #look(): Look {
    const { signal } = this.#session;
    // A URL's path is asked for only by whoever lets something be sent.
    const { path = this.#flags.try ? this.#target.path : undefined } = this.#flags;
    if (path !== undefined && !path.startsWith('/')) {
      throw usageError(`--path ${path} has to begin with a slash: /${path}`);
    }
    if (path !== undefined && this.#flags.alpn?.split(',').some((name) => name.trim() === 'h2')) {
      throw usageError(`${path} is asked for by HTTP/1.1. Leave h2 out of --alpn.`);
    }
    return { target: this.#target, flags: this.#flags, path, signal };
  }

  /** Those of which nothing can be said before their passphrase is known. */
  async #unlock(identities: readonly Identity[]): Promise<ReadonlyMap<Identity, CliError>> {
    const { signal } = this.#session;
    const locked = new Map<Identity, CliError>();
    for (const identity of identities.filter(({ certificate }) => certificate === undefined)) {
      try {
        await identity.credential({ signal });
      } catch (thrown) {
        locked.set(identity, unlessInterrupted(explain(thrown), signal));
      }
    }
    return locked;
  }

  /** One after the other: there may be one PIN pad, and a server that counts. */
  async #try(look: Look, asked: Asked, verdicts: readonly Verdict[]): Promise<Checked[]> {
    const { terminal } = this.#session;
    const checked: Checked[] = [];
    for (const verdict of verdicts) {
      if (!this.#isToBeTried(verdict)) {
        checked.push({ verdict });
        continue;
      }
      const outcome = await during(
        terminal,
        `Connecting as ${verdict.identity.label}`,
        (progress) => {
          this.#progress = progress;
          return this.#attempt(look, verdict.identity);
        },
      );
      checked.push({ verdict, tried: { outcome, said: saidBy(outcome, verdict, asked) } });
    }
    return checked;
  }

  #isToBeTried(verdict: Verdict): verdict is Exclude<Verdict, { sent: 'unknown' }> {
    return verdict.sent === 'yes' || (this.#flags.all === true && verdict.sent === 'no');
  }

  async #attempt(about: Look, identity: Identity): Promise<Outcome> {
    const { signal } = about;
    try {
      const outcome = await attempt(about, await identity.credential({ signal }));
      if (outcome.is === 'failed') unlessInterrupted(outcome.error, signal);
      return outcome;
    } catch (thrown) {
      const error = unlessInterrupted(explain(thrown, { target: this.#target }), signal);
      return { is: 'failed', error };
    }
  }

  #notAsked(found: Looked): ExitCode {
    const { terminal } = this.#session;
    const hint =
      this.#flags.path === undefined
        ? ' If only some paths want one, give such a one by --path.'
        : '';
    const message = `${this.#target.authority} did not ask for a client certificate, so none would be sent.${hint}`;
    if (this.#flags.json) {
      const problems = found.problems.map(problemRecord);
      const { places } = found;
      terminal.json({
        format: 1,
        target: this.#target.authority,
        asked: null,
        identities: [],
        problems,
        places,
      });
    } else {
      terminal.out(message);
      writeProblems(terminal, found);
    }
    return exitCodeOf(found);
  }

  #write(found: Looked, asked: Asked, checked: readonly Checked[]): void {
    const { terminal } = this.#session;
    const { authority } = this.#target;
    if (this.#flags.json) {
      const { problems, places } = found;
      terminal.json({
        format: 1,
        target: authority,
        asked,
        identities: checked.map(checkedRecord),
        problems: problems.map(problemRecord),
        places,
      });
      return;
    }
    writeAsked(terminal, authority, asked);
    terminal.out();
    writeChecked(terminal, checked);
    writeProblems(terminal, found);
  }
}

function plain(verdicts: readonly Verdict[]): Checked[] {
  return verdicts.map((verdict) => ({ verdict }));
}

/** Undefined: nothing is to be said against it. */
function exitCode(checked: readonly Checked[]): ExitCode | undefined {
  const outcomes = checked.flatMap(({ tried }) => (tried ? [tried.outcome] : []));
  if (outcomes.length === 0) {
    if (checked.some(({ verdict }) => verdict.sent === 'yes')) return undefined;
    const { verdict: first } = checked[0] as Checked;
    const isLocked = checked.every(({ verdict }) => verdict.sent === 'unknown');
    return isLocked && first.sent === 'unknown' ? first.error.exitCode : ExitCode.noIdentity;
  }
  if (outcomes.some(({ is }) => is === 'accepted' || is === 'not-asked')) return undefined;
  const failed = outcomes.find((outcome) => outcome.is === 'failed');
  const isRefused = outcomes.some(({ is }) => is === 'refused' || is === 'denied');
  return isRefused || failed === undefined ? ExitCode.refused : failed.error.exitCode;
}
