const COUNTER_LOW_BITS = 14;

/**
 * UUIDs (v7) in rising order, the same ones for the same run and time: a plan that is made again is the same plan, to
 * its ids. Room for 67 million; beside the time they hold the 48 random bits at the end of the run's own id.
 * @param at milliseconds since 1970
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
