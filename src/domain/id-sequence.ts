const COUNTER_LOW_BITS = 14;

/**
 * Generates ascending UUIDs (v7) that depend only on the run and the time, so that a reproduced plan has the same ids.
 * Supports 67 million ids. The random part is the last 48 bits of the run's own id.
 * @param at milliseconds since the Unix epoch
 */
export function createIdSequence(runId: string, at: number): () => string {
  const time = at.toString(16).padStart(12, '0');
  const head = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  const tail = runId.slice(-12);
  let counter = 0;
  return () => {
    const high = (counter >> COUNTER_LOW_BITS).toString(16).padStart(3, '0');
    const low = (0x8000 | (counter & ((1 << COUNTER_LOW_BITS) - 1))).toString(16);
    counter += 1;
    return `${head}${high}-${low}-${tail}`;
  };
}
