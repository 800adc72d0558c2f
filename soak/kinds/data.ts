/** Uploads, downloads and half-closes, by whose digest each side knows what the other had. */
import { createHash } from 'node:crypto';
import type { Attempt } from '../attempt';
import { bodyOf } from '../bodies';
import { SIZES } from '../messages';
import { pickWeighted } from '../random';
import { type Talk, Wrong } from '../talk';
import { type Kinds, turn } from './kind';

/** The long ones are few, or they would be most of the run. */
const WEIGHTS = SIZES.map((size) => [String(size), Math.min(1, 20_000 / size)] as const);

function sizeOf({ random }: Attempt): number {
  return Number(pickWeighted(random, WEIGHTS));
}

function dialLate(attempt: Attempt): Talk {
  const { credential } = attempt.identity;
  const late = attempt.random() < 0.5;
  // What is written meanwhile has to wait.
  return attempt.dial({
    clientCertCallback: () => (late ? turn().then(() => credential) : credential),
  });
}

function checkReport(attempt: Attempt, report: string, digest: string): void {
  const [seen = '', heard] = report.split(' ');
  attempt.mustBe(seen);
  if (heard !== digest) throw new Wrong('the server had other bytes than were sent');
}

async function upload(attempt: Attempt): Promise<void> {
  const { bytes, digest } = bodyOf(sizeOf(attempt));
  const talk = dialLate(attempt);
  talk.say(`sink ${bytes.length}`);
  talk.socket.write(bytes);
  checkReport(attempt, await talk.line(), digest);
  await talk.end();
}

async function download(attempt: Attempt): Promise<void> {
  const { bytes, digest } = bodyOf(sizeOf(attempt));
  const talk = dialLate(attempt);
  talk.say(`source ${bytes.length}`);
  attempt.mustBe(await talk.line());
  const received = await talk.bytes(bytes.length);
  if (createHash('sha256').update(received).digest('hex') !== digest) {
    throw new Wrong('other bytes came than the server sent');
  }
  await talk.end();
}

/** The client ends its side first, and hears the answer to all it said. */
async function halfClose(attempt: Attempt): Promise<void> {
  const { bytes, digest } = bodyOf(sizeOf(attempt));
  const talk = dialLate(attempt);
  talk.say('drain');
  talk.socket.end(bytes);
  checkReport(attempt, await talk.line(), digest);
  await talk.closed;
}

export const DATA = {
  upload: { weight: 4, run: upload },
  download: { weight: 4, run: download },
  'half-close': { weight: 3, run: halfClose },
} satisfies Kinds;
