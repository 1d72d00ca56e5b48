/** Another large plan is being made in this process; the run waits in the queue, so that smaller ones pass by. */
export class LargePlanBusyError extends Error {}

/** Above the size of any real state's list, whose plan takes well under a second. */
export const LARGE_PLAN_LICENSES = 20_000;

/** Lets one large plan at a time be in memory in this process. */
export class LargePlans {
  readonly #licenses: number;
  #runId: string | undefined;

  /** @param licenses plans of at least this many listed licenses are large */
  constructor(licenses: number) {
    this.#licenses = licenses;
  }

  /**
   * Until `leave`, no other large plan is admitted.
   * @throws LargePlanBusyError if another run's large plan is in memory
   */
  enter(runId: string, licenses: number): void {
    if (licenses < this.#licenses) return;
    this.#runId ??= runId;
    if (this.#runId !== runId) throw new LargePlanBusyError('another large plan is in memory');
  }

  leave(runId: string): void {
    if (this.#runId === runId) this.#runId = undefined;
  }
}
