/** Counts of a run: attempts by kind, and how they ended. */
import { messageOf } from '../lib/errors';

/** What a kind says of its end, as far as that is judged. */
export interface Expectation {
  readonly failsWith?: readonly string[];
}

export type Ending =
  /** As it had to; `code` is that of the error with which it had to. */
  | { readonly as: 'expected'; readonly code: string | undefined }
  | { readonly as: 'unexpected'; readonly message: string };

/** @param error - What the attempt rejected with; undefined: it ended well. */
export function classify({ failsWith }: Expectation, error: unknown): Ending {
  if (error === undefined) {
    if (failsWith === undefined) return { as: 'expected', code: undefined };
    const message = `it ended well, and not with ${failsWith.join(' or ')}`;
    return { as: 'unexpected', message };
  }
  const { code } = Object(error) as { code?: unknown };
  if (typeof code === 'string' && failsWith?.includes(code)) return { as: 'expected', code };
  return { as: 'unexpected', message: `${code ?? 'no code'}: ${messageOf(error)}` };
}

export interface Row {
  attempts: number;
  connections: number;
  /** By code. */
  readonly expected: Map<string, number>;
  unexpected: number;
}

export interface Surprise {
  readonly kind: string;
  /** Of the attempt, in the run. */
  readonly number: number;
  readonly message: string;
}

/** Beyond these, more of the same tells nobody anything. */
const SURPRISES_KEPT = 100;

export class Tally {
  readonly rows = new Map<string, Row>();
  readonly surprises: Surprise[] = [];
  unexpected = 0;
  connections = 0;

  count(kind: string, number: number, connections: number, ending: Ending): void {
    let row = this.rows.get(kind);
    if (row === undefined) {
      row = { attempts: 0, connections: 0, expected: new Map(), unexpected: 0 };
      this.rows.set(kind, row);
    }
    row.attempts += 1;
    row.connections += connections;
    this.connections += connections;
    if (ending.as === 'unexpected') {
      row.unexpected += 1;
      this.unexpected += 1;
      if (this.surprises.length < SURPRISES_KEPT) {
        this.surprises.push({ kind, number, message: ending.message });
      }
    } else if (ending.code !== undefined) {
      row.expected.set(ending.code, (row.expected.get(ending.code) ?? 0) + 1);
    }
  }

  get isHopeless(): boolean {
    return this.unexpected >= SURPRISES_KEPT;
  }
}
