/** A signal that aborts with its parent, or when the time is up. */
export interface Deadline {
  readonly signal: AbortSignal;
  readonly isTimedOut: boolean;
  /** Starts the time again. */
  restart(): void;
  /** Stops the time. The parent can still abort the signal. */
  stop(): void;
  /** Removes the timer and the listener. */
  dispose(): void;
}

/**
 * Replaces `AbortSignal.any` and `AbortSignal.timeout`: Node 20 can collect their combination as garbage, and the timeout
 * never fires (nodejs/node issue 57736).
 */
export function startDeadline(parent: AbortSignal | undefined, timeoutMs: number | undefined): Deadline {
  const controller = new AbortController();
  let isTimedOut = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const restart = (): void => {
    stop();
    // Timers of browsers and Node fire at once for longer delays.
    if (timeoutMs === undefined || timeoutMs > MAX_TIMER_MS) return;
    timer = setTimeout(() => {
      isTimedOut = true;
      controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    }, timeoutMs);
  };
  const onAbort = (): void => {
    stop();
    controller.abort(parent?.reason);
  };
  if (parent?.aborted === true) onAbort();
  else {
    parent?.addEventListener('abort', onAbort, { once: true });
    restart();
  }
  return {
    signal: controller.signal,
    get isTimedOut() {
      return isTimedOut;
    },
    restart,
    stop,
    dispose() {
      stop();
      parent?.removeEventListener('abort', onAbort);
    },
  };
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** @throws the reason of the signal, at once */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
