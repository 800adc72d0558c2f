/** The parts of the benchmark, by the names that `--only` takes. */
import type { Part } from '../part';
import { crowd } from './crowd';
import { growth } from './growth';
import { handshakes } from './handshakes';
import { web } from './https';
import { memory } from './memory';
import { postHandshake } from './post-handshake';
import { requests } from './requests';
import { resumeLatency } from './resume-latency';
import { resumption } from './resumption';
import { signers } from './signers';
import { onread, receive, send } from './throughput';
import { tokens } from './tokens';

export const PARTS = {
  receive,
  onread,
  send,
  requests,
  handshakes,
  resumption,
  memory,
  crowd,
  growth,
  https: web,
  'post-handshake': postHandshake,
  'resume-latency': resumeLatency,
  signers,
  /** Needs SoftHSM, OpenSC and OpenSSL's PKCS#11 engine. */
  tokens,
} satisfies Record<string, Part>;

export type PartName = keyof typeof PARTS;

/** Those that measure the targets: what runs when nothing is named. */
export const TARGET_PARTS: readonly PartName[] = [
  'receive',
  'onread',
  'send',
  'requests',
  'handshakes',
  'resumption',
  'memory',
  'crowd',
  'growth',
  'https',
];
