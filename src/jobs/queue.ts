import { setTimeout as delay } from 'node:timers/promises';
import { Logger, type Runner, run } from 'graphile-worker';
import { SILENCE_MS } from '../db/database.js';
import { createPatientPool } from './patient-pool.js';

/** The work that the queue knows, each with its payload. */
export interface Tasks {
  run_sync(payload: { readonly tenantId: string; readonly runId: string }): Promise<void>;
}

export interface WorkerOptions {
  /** A session connection: the queue listens, which a transaction-mode pooler cannot. */
  readonly url: string;
  readonly concurrency: number;
  readonly tasks: Tasks;
  /** Called every few seconds, by each worker, one after the other; that one fails keeps no other from its turn. */
  readonly sweeps: readonly (() => Promise<unknown>)[];
  readonly sweepMs?: number | undefined;
  /** A connection that says nothing for so long while it is asked something is taken for lost. */
  readonly silenceMs?: number | undefined;
  readonly onError: (error: unknown) => void;
  readonly onConnectionLost: (error: unknown) => void;
}

export interface Worker {
  /** Takes no more jobs and waits for those at hand. */
  stop(): Promise<void>;
}

/** For what notifications miss; a job that is announced starts at once. */
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
  // Ours, so that it is listened to until its last connection is gone: the library lets go of it before that, and an
  // error that nobody listens to ends the process.
  const pool = createPatientPool(silenceMs, {
    connectionString: url,
    max: concurrency + 2,
    keepAlive: true,
    application_name: 'biotrack-connect worker',
  });
  // An idle connection that breaks is told of by its client and by the pool: once is enough.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', onConnectionLost));
  const runner: Runner = await run({
    pgPool: pool,
    concurrency,
    pollInterval: POLL_MS,
    noHandleSignals: true,
    // Failures reach the log through the task itself; the library's own lines are for its developers.
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
      // Together: while a sweep goes on, no further job is taken.
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
