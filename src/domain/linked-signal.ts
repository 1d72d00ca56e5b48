export interface LinkedSignal {
  readonly signal: AbortSignal;
  readonly isTimedOut: boolean;
  /** Clears the timer and the listeners. */
  dispose(): void;
}

/**
 * A signal that aborts when one of its parents does, or after `timeoutMs`. Replaces `AbortSignal.any` and
 * `AbortSignal.timeout`: Node 20 can collect their combination as garbage, and the timeout never fires
 * (nodejs/node issue 57736). Here, the timer and the parents hold the signal. The timer does not keep the process running.
 */
export function linkSignals(parents: readonly (AbortSignal | undefined)[], timeoutMs?: number): LinkedSignal {
  const controller = new AbortController();
  const timedOut = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => controller.abort(timedOut), timeoutMs);
  timer?.unref();
  const links = parents
    .filter((parent) => parent !== undefined)
    .map((parent) => ({ parent, onAbort: () => controller.abort(parent.reason) }));
  for (const { parent, onAbort } of links) {
    if (parent.aborted) onAbort();
    else parent.addEventListener('abort', onAbort, { once: true });
  }
  return {
    signal: controller.signal,
    get isTimedOut() {
      return controller.signal.reason === timedOut;
    },
    dispose() {
      clearTimeout(timer);
      for (const { parent, onAbort } of links) parent.removeEventListener('abort', onAbort);
    },
  };
}
