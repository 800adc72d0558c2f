// How often each target was executed, by all runs together.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Of one build of a target. */
interface Entry {
  target: string;
  /** As `buildOf` tells it. */
  build: string;
  /** When it was first run. */
  since: string;
  executions: number;
  /** Processes that ended with a finding. */
  findings: number;
}

export class Ledger {
  /** @param path - a JSON file, made at the first entry */
  constructor(private readonly path: string) {}

  /** Counts what one process did. */
  add(target: string, build: string, executions: number, found: boolean): void {
    const entries = this.read();
    let entry = entries.find((known) => known.target === target && known.build === build);
    if (entry === undefined) {
      const since = new Date().toISOString().slice(0, 10);
      entry = { target, build, since, executions: 0, findings: 0 };
      entries.push(entry);
    }
    entry.executions += executions;
    entry.findings += found ? 1 : 0;
    // Whole or not at all: somebody may end the run at any time.
    const next = `${this.path}.${process.pid}`;
    writeFileSync(next, `${JSON.stringify(entries, null, 2)}\n`);
    renameSync(next, this.path);
  }

  /** A line for whoever wants to know how far it is. */
  summary(target: string, build: string): string {
    const entries = this.read().filter((entry) => entry.target === target);
    const [first] = entries;
    if (first === undefined) return `${target}: no execution was counted yet`;
    const sum = (some: Entry[], of: 'executions' | 'findings'): string =>
      some.reduce((total, entry) => total + entry[of], 0).toLocaleString('en-US');
    const ofThis = entries.filter((entry) => entry.build === build);
    return (
      `${target}: ${sum(entries, 'executions')} executions in all since ${first.since}, ` +
      `findings: ${sum(entries, 'findings')}; ` +
      `of this build ${sum(ofThis, 'executions')}, findings: ${sum(ofThis, 'findings')}`
    );
  }

  private read(): Entry[] {
    return existsSync(this.path) ? JSON.parse(readFileSync(this.path, 'utf8')) : [];
  }
}

/** Tells builds of a fuzzer apart: by what it was made from, and how. */
export function buildOf(binary: string): string {
  return createHash('sha256').update(readFileSync(binary)).digest('hex').slice(0, 16);
}
