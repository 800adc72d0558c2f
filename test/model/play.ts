/** Plays one scenario over real sockets to a real server, and judges what came of it. */
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { socketDescriptors } from '../support/kernel-sockets';
import { Line } from './line';
import { Model } from './model';
import type { Peer, Seen } from './peer';
import { type Scenario, words } from './scenario';
import { Timers } from './timers';
import { User } from './user';

export interface Stage {
  /** Its next connection is the scenario's. */
  peerOf(scenario: Scenario): Promise<Peer>;
}

const QUIET_TURNS = 3;
/** Somebody cut the connection: what may be seen of that. */
const BROKEN = ['ECONNRESET', 'EPIPE', 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING'];

/** @returns What must not have been. */
export async function play(scenario: Scenario, stage: Stage, patience: number): Promise<string[]> {
  const { setup, steps } = scenario;
  const model = new Model();
  model.patience = patience;
  const base = resources();
  const timers = new Timers();
  const peer = await stage.peerOf(scenario);
  const line = await Line.start(peer.port);
  const uncaught = (error: unknown) =>
    model.violated(`uncaught: ${(error as Error)?.stack ?? error}`);
  process.on('uncaughtException', uncaught);
  process.on('unhandledRejection', uncaught);
  const seen = peer.expect(setup);
  line.changed = peer.changed = () => model.changed();
  if (setup.requires && !setup.asksFirst) model.permit('ERR_CLIENT_CERT_REQUIRED');
  const run = new Run(scenario, model, peer, seen, line);
  for (const step of steps) await run.step(step);
  await run.finish();
  await line.close();
  await peer.hangUp();
  await run.check(base, timers);
  timers.stop();
  process.removeListener('uncaughtException', uncaught);
  process.removeListener('unhandledRejection', uncaught);
  return model.violations;
}

class Run {
  readonly #scenario: Scenario;
  readonly #model: Model;
  readonly #peer: Peer;
  readonly #seen: Seen;
  readonly #line: Line;
  readonly #user: User;
  #isBroken = false;
  /** The peer was told to ask, or the client to renegotiate. */
  #asks = 0;
  /** Somebody ended before all was said, so that not every question gets through. */
  #endedEarly = false;

  constructor(scenario: Scenario, model: Model, peer: Peer, seen: Seen, line: Line) {
    this.#scenario = scenario;
    this.#model = model;
    this.#peer = peer;
    this.#seen = seen;
    this.#line = line;
    this.#user = new User(scenario.setup, line.port, model);
  }

  async step(text: string): Promise<void> {
    const { name, number } = words(text);
    const action = this.#actions[name];
    if (action !== undefined) {
      await action(number as number);
      return;
    }
    if (text.endsWith('renegotiate')) this.#asked();
    if (text.includes('end') || text.includes('destroy')) this.#endedEarly = true;
    this.#user.act(text);
  }

  /** Whoever has ended takes no part in a handshake any more. */
  #asked(): void {
    this.#asks++;
    if (this.#endedEarly) this.#model.permit(...BROKEN);
  }

  /** What is not the program's to do. */
  readonly #actions: Readonly<Record<string, (n: number) => unknown>> = {
    tick: () => new Promise<void>((resolve) => process.nextTick(resolve)),
    turn: () => turn(),
    settled: () => this.#settled(),
    secured: () => this.#secured(),
    'peer write': (n) => this.#peer.write(n),
    'peer ask': () => {
      this.#asked();
      this.#peer.ask();
    },
    'peer end': () => {
      this.#endedEarly = true;
      // It may be waiting for an answer, or be in a handshake in which it cannot say that it ends.
      if (this.#asks > 0 || !this.#seen.secured) this.#model.permit(...BROKEN);
      this.#peer.end();
    },
    'peer stall': () => this.#peer.stall(),
    'peer flow': () => this.#peer.flow(),
    'dribble up': (n) => this.#line.dribble('up', n),
    'dribble down': (n) => this.#line.dribble('down', n),
    'stall up': () => this.#line.stall('up', true),
    'flow up': () => this.#line.stall('up', false),
    'stall down': () => this.#line.stall('down', true),
    'flow down': () => this.#line.stall('down', false),
    'cut at a border': () => this.#broken(() => this.#line.cutOff('at a border')),
    'cut in a record': () => this.#broken(() => this.#line.cutOff('in a record')),
    fin: () => this.#broken(() => this.#line.fin()),
    reset: () => this.#broken(() => this.#line.reset()),
  };

  #broken(how: () => void): void {
    this.#isBroken = true;
    this.#model.permit(...BROKEN);
    how();
  }

  /** Nothing has happened for some turns of the loop, nor at the peer's. */
  async #settled(): Promise<void> {
    const model = this.#model;
    for (let rounds = 0; rounds < 20; rounds++) {
      for (let quiet = 0; quiet < QUIET_TURNS; ) {
        const before = model.version;
        await turn();
        quiet = model.version === before ? quiet + 1 : 0;
      }
      const before = model.version;
      await this.#peer.sync();
      await turn();
      if (model.version <= before + 1) return;
    }
  }

  async #secured(): Promise<void> {
    const user = this.#user;
    for (let rounds = 0; rounds < 10; rounds++) {
      if (user.closed || user.events.secureConnect || user.asking.open !== undefined) return;
      await this.#settled();
    }
  }

  /** Everything that holds something back is let go, and both sides end as they should. */
  async finish(): Promise<void> {
    const model = this.#model;
    const user = this.#user;
    const { socket } = user;
    const seen = this.#seen;
    this.#line.stall('up', false);
    this.#line.stall('down', false);
    this.#peer.flow();
    user.calmDown();
    const closed = () => user.closed;
    await model.until('secureConnect', () => closed() || user.events.secureConnect === 1);
    await model.until('drain', () => closed() || socket.writableEnded || !socket.writableNeedDrain);
    await this.#settled();
    if (!socket.writableEnded) user.act('end');
    await model.until("end of the client's at the peer", () => closed() || seen.ended || seen.gone);
    if (!seen.closing) this.#peer.end();
    await model.until('close', closed);
    if (!closed()) {
      user.act('destroy');
      await model.until('close after destroy()', closed);
    }
    if (!user.destroyed && !model.cutShort && user.error === undefined) {
      await model.until("all of the client's at the peer", () => seen.ended || seen.gone);
    }
    await this.#settled();
  }

  async check(base: Resources, timers: Timers): Promise<void> {
    const model = this.#model;
    const user = this.#user;
    const seen = this.#seen;
    user.asking.closed();
    await this.#settled();
    for (const { what, count } of user.calls) {
      if (count === 0) model.violated(`the callback of ${what} was never called`);
    }
    for (const once of ['connect', 'secureConnect', 'secured', 'finish', 'end', 'error', 'close']) {
      const count = user.events[once] ?? 0;
      if (count > 1) model.violated(`'${once}' came ${count} times`);
    }
    if (!seen.intact) model.violated("the peer received other bytes than the client's");
    if (seen.count > user.written) model.violated('the peer received more than was written');
    if (user.count > seen.sent) model.violated('more was received than the peer has sent');
    const unanswered = user.asking.compare(seen.shown, this.#unsure);
    if (user.events.end && user.count !== seen.sent) {
      model.violated(`'end' after ${user.count} of ${seen.sent} bytes`);
    }
    if (user.events.end && !seen.closing) model.violated("'end' though the peer did not");
    if (user.error === undefined && !user.destroyed && !model.cutShort)
      this.#checkWhole(unanswered);
    this.#checkQuestions();
    await this.#checkResources(base, timers);
  }

  /** It ended as it should: nothing may be missing. */
  #checkWhole(unanswered: number): void {
    const model = this.#model;
    const user = this.#user;
    const seen = this.#seen;
    for (const event of ['secureConnect', 'finish', 'end']) {
      if (!user.events[event]) model.violated(`closed without an error, and without '${event}'`);
    }
    // Whoever has read the peer's end learns nothing of a wire that breaks behind it, no more than on TCP alone.
    const untold = this.#isBroken && seen.closing;
    if (seen.count !== user.written && !untold) {
      model.violated(
        `the peer received ${seen.count} of ${user.written} bytes, and no error says so; it says ${seen.failure}`,
      );
    }
    if (user.count !== seen.sent) {
      model.violated(`${user.count} of ${seen.sent} bytes came, and no error says so`);
    }
    const { bytesRead, bytesWritten } = user.socket;
    if (bytesWritten !== user.written) model.violated(`bytesWritten is ${bytesWritten}`);
    if (bytesRead !== user.count) model.violated(`bytesRead is ${bytesRead}`);
    for (const { what, error } of user.calls) {
      if (error && /^write/.test(what))
        model.violated(`${what} failed with ${error}, and the socket did not`);
    }
    this.#checkStatus();
    if (!this.#endedEarly && unanswered !== 0) {
      model.violated(`the server saw no answer to ${unanswered} questions`);
    }
  }

  /** What the program is told of its certificate is what the server saw. */
  #checkStatus(): void {
    const last = this.#seen.shown.at(-1);
    if (last === undefined || this.#endedEarly || this.#unsure) return;
    const { clientAuth } = this.#user.socket;
    const expected = last === 'nobody' ? 'declined' : 'sent';
    const subject = 'credential' in clientAuth ? clientAuth.credential?.subject : undefined;
    if (clientAuth.status !== expected || (expected === 'sent' && !subject?.includes(last))) {
      this.#model.violated(`the server saw ${last}, and clientAuth says ${clientAuth.status}`);
    }
  }

  /** Of the client's, that began or may have. */
  get #renegotiations(): number {
    if (this.#scenario.setup.protocol !== 'TLSv1.2') return 0;
    return this.#user.calls.filter(({ what }) => what === 'renegotiate').length;
  }

  get #unsure(): boolean {
    return this.#seen.unsure && this.#renegotiations > 0;
  }

  #checkQuestions(): void {
    const { asksFirst } = this.#scenario.setup;
    const { questions } = this.#user.asking;
    const most = this.#seen.requests ?? (asksFirst ? 1 : 0) + this.#asks + this.#renegotiations;
    if (questions.length > most) {
      this.#model.violated(`${questions.length} questions were put for ${most} requests`);
    }
  }

  async #checkResources(base: Resources, timers: Timers): Promise<void> {
    let left = resources();
    for (let turns = 0; turns < 100 && !(same(left, base) && timers.alive === 0); turns++) {
      await turn();
      left = resources();
    }
    if (timers.alive > 0) this.#model.violated(`${timers.alive} timers are left behind`);
    if (this.#user.listeners > 0) this.#model.violated('the signal is still listened to');
    if (!same(left, base)) {
      this.#model.violated(`left behind: ${JSON.stringify(left)}, before: ${JSON.stringify(base)}`);
    }
  }
}

/** What is gone by the next turn, and the pipes to Python and to whoever reads what is printed. */
const NOT_OURS = new Set(['Immediate', 'PipeWrap', 'ProcessWrap', 'TTYWrap']);

interface Resources {
  readonly active: string;
  readonly sockets: number;
  readonly descriptors: number;
}

function resources(): Resources {
  return {
    active: process
      .getActiveResourcesInfo()
      .filter((name) => !NOT_OURS.has(name))
      .sort()
      .join(' '),
    sockets: socketDescriptors().length,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

function same(one: Resources, other: Resources): boolean {
  return (
    one.active === other.active &&
    one.sockets === other.sockets &&
    one.descriptors === other.descriptors
  );
}
