/** What the benchmark's figures are to reach. */
import type { Summary } from './report';

/** How a figure is read: as a factor, or as KiB of memory. */
export type Unit = 'times' | 'KiB';

export interface Target {
  readonly id: string;
  readonly work: string;
  /** What the figure is a ratio to; empty when it is none. */
  readonly beside: string;
  readonly unit: Unit;
  /** Undefined: shown, and nothing is asked of it. */
  readonly atMost: number | undefined;
}

const NODE = 'node:tls';
const FLOOR = 'C';

/**
 * The client's CPU time where nothing else is said. Where fewer connections fit than 10,000, the part
 * says how many it had.
 */
export const TARGETS = [
  target('receive/node', 'receive', NODE, 0.7),
  target('receive/floor', 'receive', FLOOR, 1.2),
  target('onread/node', 'receive into one buffer', NODE, undefined),
  target('onread/floor', 'receive into one buffer', FLOOR, undefined),
  target('send/node', 'send', NODE, 0.75),
  target('send/floor', 'send', FLOOR, 1.25),
  target('requests/node', '1 KB and its echo, 50 connections', NODE, 0.8),
  target('message-p99/node', '1 KB and its echo alone, time p99', NODE, 1),
  target('handshake/node', 'mutual handshake, answered at once', NODE, 0.85),
  target('handshake/floor', 'mutual handshake, answered at once', FLOOR, 1.5),
  target('suspended/node', 'mutual handshake, suspended one turn', NODE, 0.9),
  target('resumed/node', 'resumed handshake', NODE, 0.85),
  target('idle-memory/node', 'memory of an idle connection', NODE, 0.9),
  target('crowd-lost', '10,000 suspended at once, wanted', 'those held', 1),
  target('crowd-memory', '10,000 suspended at once, RSS of each', '', 40, 'KiB'),
  target('crowd-delay', '10,000 suspended at once, loop delay p99', 'without them', 1.05),
  target('growth', '1 KB and its echo, 10,000 connections open', '100 open', 1.1),
  target('growth-node', 'the same by node:tls', '100 open', undefined),
] as const;

export type FigureId = (typeof TARGETS)[number]['id'];

/** What was measured of the {@link TARGETS}. */
export type Figures = { readonly [Id in FigureId]?: Summary };

function target<Id extends string>(
  id: Id,
  work: string,
  beside: string,
  atMost: number | undefined,
  unit: Unit = 'times',
): Target & { readonly id: Id } {
  return { id, work, beside, unit, atMost };
}
