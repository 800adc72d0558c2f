/** A run as it is kept in a file: for whoever draws or compares it. */
import { readFile } from 'node:fs/promises';
import type { Verdict } from './summary';

export interface RunRecord {
  readonly node: string;
  readonly openssl: string;
  /** OpenSSL's version below the C floor; undefined where no part wanted it. */
  readonly floorOpenssl: string | undefined;
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string | undefined;
  readonly cores: number;
  /** The options it was run with. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly verdicts: readonly Verdict[];
  /** What each part found, by its name. */
  readonly parts: Readonly<Record<string, unknown>>;
}

export function recordText(record: RunRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** @throws Error that names the file when it is no record of a run. */
export async function readRecord(path: string): Promise<RunRecord> {
  try {
    return parseRecord(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** @throws Error */
export function parseRecord(text: string): RunRecord {
  const record = JSON.parse(text) as Partial<RunRecord> | null;
  if (!Array.isArray(record?.verdicts) || typeof record.settings !== 'object') {
    throw new Error('this is no result of the benchmark');
  }
  return record as RunRecord;
}
