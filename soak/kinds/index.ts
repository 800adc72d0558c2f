/** All that connections do in a run. */
import { ABORTS } from './aborts';
import { DATA } from './data';
import { HANDSHAKES } from './handshakes';
import type { Kind } from './kind';
import { LATER } from './later';
import { RESETS } from './resets';
import { WEB } from './web';

export const KINDS = { ...HANDSHAKES, ...ABORTS, ...RESETS, ...LATER, ...DATA, ...WEB } as const;
export type KindName = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as KindName[];

export const kindOf = (name: KindName): Kind => KINDS[name];
