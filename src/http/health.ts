import { ServiceError } from '../domain/service-error.js';
import { operation } from './operation.js';
import { Named, OneOf, Reply } from './primitives.js';
import type { App } from './server.js';

const Health = Named('Health', Reply({ status: OneOf(['ok']) }));

/** How long a probe waits for the database: it has to say "no" before whoever asks gives up. */
const PING_TIMEOUT_MS = 1_500;

/** `/livez`: this process answers. `/readyz`: it can also do its work. BioTrack's health is no part of either. */
export function registerHealth(app: App, ping: () => Promise<void>): void {
  app.get(
    '/livez',
    {
      schema: operation({
        id: 'getLivez',
        tag: 'Operations',
        summary: 'Whether the process answers',
        replies: { 200: { description: 'It does.', schema: Health } },
      }),
    },
    async () => ({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    {
      schema: operation({
        id: 'getReadyz',
        tag: 'Operations',
        summary: 'Whether the database answers, so that requests can be served',
        replies: { 200: { description: 'It does.', schema: Health } },
        errors: ['storage_unavailable'],
      }),
    },
    async () => {
      await withinTime(ping());
      return { status: 'ok' };
    },
  );
}

async function withinTime(pinging: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PING_TIMEOUT_MS} ms`)), PING_TIMEOUT_MS);
  });
  try {
    await Promise.race([pinging, timeout]);
  } catch (cause) {
    throw new ServiceError('storage_unavailable', 'The database does not answer.', { cause });
  } finally {
    clearTimeout(timer);
  }
}
