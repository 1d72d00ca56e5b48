import { ServiceError } from '../domain/service-error.js';
import { operation } from './operation.js';
import { KnownOf, Named, Reply } from './primitives.js';
import type { App } from './server.js';

const Health = Named('Health', Reply({ status: KnownOf(['ok']) }));

/** Shorter than the usual timeout of a probe, so that the probe receives the 503. */
const PING_TIMEOUT_MS = 1_500;

/** `/livez` reports that the process answers, `/readyz` that the database does, too. Neither depends on BioTrack. */
export function registerHealth(app: App, ping: () => Promise<void>): void {
  app.get(
    '/livez',
    {
      schema: operation({
        id: 'getLivez',
        tag: 'Operations',
        summary: 'Check liveness',
        description: 'Reports that the process answers requests. Does not check the database or BioTrack.',
        replies: { 200: { description: 'The process is alive.', schema: Health } },
      }),
    },
    async () => ({ status: 'ok' }),
  );
  let pinging: Promise<void> | undefined;
  app.get(
    '/readyz',
    {
      schema: operation({
        id: 'getReadyz',
        tag: 'Operations',
        summary: 'Check readiness',
        description: 'Reports that the database answers, so that requests can be served. Does not check BioTrack.',
        replies: { 200: { description: 'The service is ready.', schema: Health } },
        errors: ['storage_unavailable'],
      }),
    },
    async () => {
      // Shared by all requests that wait for it, so that a flood of health checks takes one connection.
      pinging ??= ping().finally(() => {
        pinging = undefined;
      });
      await withTimeout(pinging);
      return { status: 'ok' };
    },
  );
}

async function withTimeout(pinging: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the database did not answer within ${PING_TIMEOUT_MS} ms`)),
      PING_TIMEOUT_MS,
    );
  });
  try {
    await Promise.race([pinging, timeout]);
  } catch (cause) {
    throw new ServiceError('storage_unavailable', 'The database did not answer the health check.', { cause });
  } finally {
    clearTimeout(timer);
  }
}
