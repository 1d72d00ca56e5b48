import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { MetricsJson } from './telemetry/index.js';

/** A process of this machine that executes runs. It is started again whenever it ends by itself. */
export interface WorkerProcess {
  /** @returns its last metrics if it does not answer; undefined if it never did */
  readMetrics(): Promise<MetricsJson | undefined>;
  /** Waits until it has handed over its runs. */
  stop(): Promise<void>;
}

/** Both are null if the process could not be started. */
export interface WorkerEnding {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Doubles with every exit, up to the second figure, until the process has run for that long. */
const RESTART_MS = { first: 1_000, last: 60_000 };
const METRICS_TIMEOUT_MS = 2_000;

/**
 * Planning and rendering rows take processor time in slices of milliseconds. In the process that serves requests, a request
 * waits for several of them; beside a process with a lower priority, for none.
 *
 * @param fork - starts the process with a channel for messages; it must stop when the channel closes
 * @param onExit - called when the process ended by itself
 */
export function superviseWorker(fork: () => ChildProcess, onExit: (ending: WorkerEnding) => void): WorkerProcess {
  let child: ChildProcess | undefined;
  let ended: Promise<WorkerEnding> | undefined;
  let lastMetrics: MetricsJson | undefined;
  let isStopping = false;
  const start = (): Promise<WorkerEnding> => {
    try {
      child = fork();
    } catch {
      return Promise.resolve(NOT_STARTED);
    }
    lowerPriority(child);
    return untilEnded(child);
  };
  const run = async (): Promise<void> => {
    for (let pauseMs = RESTART_MS.first; !isStopping; pauseMs = Math.min(2 * pauseMs, RESTART_MS.last)) {
      const startedAt = performance.now();
      ended = start();
      const ending = await ended;
      if (isStopping) return;
      onExit(ending);
      if (performance.now() - startedAt >= RESTART_MS.last) pauseMs = RESTART_MS.first;
      await delay(pauseMs, undefined, { ref: false });
    }
  };
  run();
  return {
    async readMetrics() {
      if (child?.connected !== true) return lastMetrics;
      const waiting = new AbortController();
      const timer = setTimeout(() => waiting.abort(), METRICS_TIMEOUT_MS);
      try {
        const answer = once(child, 'message', waiting);
        child.send('metrics', () => {});
        lastMetrics = (await answer)[0] as MetricsJson;
      } catch {
        // It is busy or ends: its counters must not seem to fall.
      } finally {
        clearTimeout(timer);
      }
      return lastMetrics;
    },
    async stop() {
      isStopping = true;
      if (child?.connected === true) child.disconnect();
      await ended;
    },
  };
}

const NOT_STARTED: WorkerEnding = { code: null, signal: null };

const untilEnded = (child: ChildProcess): Promise<WorkerEnding> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    // Without an exit if the process could not be started. Also emitted when a message cannot be sent; the process keeps running.
    child.on('error', () => {
      if (child.pid === undefined) resolve(NOT_STARTED);
    });
  });

function lowerPriority({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some sandboxes do not allow it; then both processes have the same priority.
  }
}
