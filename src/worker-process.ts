import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { MetricsJson } from './telemetry/index.js';

/** A process of this machine that executes runs. It is started again whenever it ends by itself. */
export interface WorkerProcess {
  /** @returns undefined if it does not answer, such as while it starts */
  readMetrics(): Promise<MetricsJson | undefined>;
  /** Waits until it has handed over its runs. */
  stop(): Promise<void>;
}

/** Both are null if the process could not be started. */
export interface WorkerEnding {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const RESTART_MS = 1_000;
const METRICS_TIMEOUT_MS = 2_000;

/**
 * Planning and rendering rows take processor time in slices of milliseconds. In the process that serves requests, a request
 * waits for several of them; beside a process with a lower priority, for none.
 *
 * @param fork - starts the process with a channel for messages; it must stop when the channel closes
 * @param onExit - called when the process ended by itself
 */
export function superviseWorker(fork: () => ChildProcess, onExit: (ending: WorkerEnding) => void): WorkerProcess {
  let child: ChildProcess;
  let ended: Promise<WorkerEnding>;
  let isStopping = false;
  const run = async (): Promise<void> => {
    while (!isStopping) {
      child = fork();
      lowerPriority(child);
      ended = untilEnded(child);
      const ending = await ended;
      if (isStopping) return;
      onExit(ending);
      await delay(RESTART_MS, undefined, { ref: false });
    }
  };
  run();
  return {
    async readMetrics() {
      if (!child.connected) return undefined;
      const waiting = new AbortController();
      const timer = setTimeout(() => waiting.abort(), METRICS_TIMEOUT_MS);
      try {
        child.send('metrics');
        const [metrics] = await once(child, 'message', waiting);
        return metrics as MetricsJson;
      } catch {
        return undefined;
      } finally {
        clearTimeout(timer);
      }
    },
    async stop() {
      isStopping = true;
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

const untilEnded = (child: ChildProcess): Promise<WorkerEnding> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    // Follows no exit if the process could not be started. It may also say that a message was not sent, which ends nothing.
    child.on('error', () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });

function lowerPriority({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some sandboxes do not allow it; then both processes have the same priority.
  }
}
