/**
 * What a failed test leaves behind: servers register here, and `after-all.ts` stops what is
 * still registered when a test file ends, so that a failure never hangs the run.
 */
type Stop = () => Promise<void>;

const leftovers = new Set<Stop>();

/** Registers `stop`; the returned function takes it off again. */
export function registerLeftover(stop: Stop): () => void {
  leftovers.add(stop);
  return () => leftovers.delete(stop);
}

export async function stopLeftovers(): Promise<void> {
  await Promise.all([...leftovers].map((stop) => stop()));
}
