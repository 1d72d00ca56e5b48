import { setTimeout as delay } from 'node:timers/promises';

export const REFUSAL_SECONDS = 2;

/**
 * Wait before a refusal: a caller that repeats a refused request at once would otherwise keep the process busy with refusals. The
 * time varies, so that the requests of a burst do not come back as one.
 */
export const delayRefusal = (): Promise<void> =>
  delay(REFUSAL_SECONDS * 1_000 * (1 + Math.random()), undefined, { ref: false });
