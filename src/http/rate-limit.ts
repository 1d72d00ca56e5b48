import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { toActor } from '../domain/principal.js';
import { ServiceError } from '../domain/service-error.js';
import { principalOf } from './auth.js';

const WINDOW_SECONDS = 60;
/** Counters beyond this number are evicted, least recently used first. */
const MAX_CALLERS = 10_000;

/**
 * Limits the requests of each principal per minute and process. Also counts requests that authorization rejects later. The
 * response headers follow draft-ietf-httpapi-ratelimit-headers.
 */
export async function registerRateLimit(app: FastifyInstance, perMinute: number): Promise<void> {
  await app.register(rateLimit, { global: false, cache: MAX_CALLERS });
  const count = app.createRateLimit({
    max: perMinute,
    timeWindow: WINDOW_SECONDS * 1_000,
    keyGenerator: (request) => {
      const principal = principalOf(request);
      // User ids are unique only within a tenant.
      return `${principal.tenantId ?? ''} ${toActor(principal)}`;
    },
  });
  app.addHook('onRequest', async (request, reply) => {
    if (request.principal === null) return;
    const counted = await count(request);
    if (counted.isAllowed) return;
    const { remaining, ttlInSeconds, isExceeded } = counted;
    reply.headers({
      'ratelimit-policy': `"caller";q=${perMinute};w=${WINDOW_SECONDS}`,
      ratelimit: `"caller";r=${remaining};t=${ttlInSeconds}`,
    });
    if (!isExceeded) return;
    throw new ServiceError(
      'rate_limited',
      `The limit is ${perMinute} requests per minute. Retry in ${ttlInSeconds} seconds.`,
      {
        retryAfterSeconds: ttlInSeconds,
      },
    );
  });
}
