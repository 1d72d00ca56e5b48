/**
 * Generates ascending UUIDs (v7) that depend only on the run and the time, so that a reproduced plan has the same ids. Their
 * last eight digits differ within a run, because display names can contain them. Supports two billion ids.
 * @param runId a UUID; its random digits distinguish the ids of runs of the same millisecond
 * @param at milliseconds since the Unix epoch
 */
export function createIdSequence(runId: string, at: number): () => string {
  const time = at.toString(16).padStart(12, '0');
  const random = runId.slice(-12);
  const head = `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 10)}`;
  // Starts at a random number, so that the last digits also differ between runs; without the highest bit, so that it ascends.
  let next = Number.parseInt(random.slice(-8), 16) & 0x7fffffff;
  return () => {
    const tail = next.toString(16).padStart(8, '0');
    next += 1;
    return head + tail;
  };
}
