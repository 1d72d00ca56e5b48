import { setTimeout as delay } from 'node:timers/promises';
import { Logger, type Runner, run } from 'graphile-worker';
import { SILENCE_MS } from '../db/database.js';
import { createQueuePool } from './queue-pool.js';

export interface Tasks {
  run_sync(payload: { readonly tenantId: string; readonly runId: string }): Promise<void>;
}

export interface WorkerOptions {
  /** A session connection: LISTEN does not work through a transaction-mode pooler. */
  readonly url: string;
  readonly concurrency: number;
  readonly tasks: Tasks;
  /** Maintenance tasks that each worker runs one after another every `sweepMs`. A failure does not stop the others. */
  readonly sweeps: readonly (() => Promise<unknown>)[];
  readonly sweepMs?: number | undefined;
  /** A connection without data for this long while a query runs counts as lost. */
  readonly silenceMs?: number | undefined;
  readonly onError: (error: unknown) => void;
  readonly onConnectionLost: (error: unknown) => void;
}

export interface Worker {
  /** Starts no more jobs and waits for the running ones. */
  stop(): Promise<void>;
}

/** Only for jobs whose notification was missed; others start immediately. */
const POLL_MS = 2_000;
const SWEEP_MS = 5_000;

export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const {
    url,
    concurrency,
    tasks,
    sweeps,
    sweepMs = SWEEP_MS,
    silenceMs = SILENCE_MS,
    onError,
    onConnectionLost,
  } = options;
  // Our own pool, so that its error listeners stay until the last connection is closed: graphile-worker removes its own
  // earlier, and an error without a listener ends the process.
  const pool = createQueuePool(silenceMs, {
    connectionString: url,
    max: concurrency + 2,
    keepAlive: true,
    application_name: 'biotrack-connect worker',
  });
  // The client reports the same error.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', onConnectionLost));
  const runner: Runner = await run({
    pgPool: pool,
    concurrency,
    pollInterval: POLL_MS,
    noHandleSignals: true,
    // Failures are logged by the task.
    logger: new Logger(() => () => {}),
    taskList: {
      run_sync: async (payload) => {
        const { tenant_id: tenantId, run_id: runId } = payload as { tenant_id: string; run_id: string };
        await tasks.run_sync({ tenantId, runId }).catch((error: unknown) => {
          onError(error);
          throw error;
        });
      },
    },
  });
  const stopping = new AbortController();
  const sweeping = sweepUntil(stopping.signal, sweeps, sweepMs, onError);
  return {
    async stop() {
      stopping.abort();
      // In parallel, so that no job starts while a sweep finishes.
      await Promise.all([sweeping, runner.stop()]);
      await pool.end();
    },
  };
}

async function sweepUntil(
  stopped: AbortSignal,
  sweeps: WorkerOptions['sweeps'],
  sweepMs: number,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!stopped.aborted) {
    for (const sweep of sweeps) if (!stopped.aborted) await sweep().catch(onError);
    await delay(sweepMs, undefined, { signal: stopped }).catch(() => undefined);
  }
}
