import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { toActor } from '../domain/principal.js';
import { ServiceError } from '../domain/service-error.js';
import { principalOf } from './auth.js';

const WINDOW_SECONDS = 60;
/** So many callers are remembered at a time; the ones that were silent for the longest are forgotten first. */
const MOST_CALLERS = 10_000;

/**
 * Keeps one caller from taking the service from the others: so many requests a minute and process, counted for each
 * principal before it is looked what he may do. The headers are those of draft-ietf-httpapi-ratelimit-headers.
 */
export async function registerRateLimit(app: FastifyInstance, perMinute: number): Promise<void> {
  await app.register(rateLimit, { global: false, cache: MOST_CALLERS });
  const count = app.createRateLimit({
    max: perMinute,
    timeWindow: WINDOW_SECONDS * 1_000,
    keyGenerator: (request) => {
      const principal = principalOf(request);
      // Two tenants' people may be called the same.
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
      `At most ${perMinute} requests a minute. Go on in ${ttlInSeconds} seconds.`,
      {
        retryAfterSeconds: ttlInSeconds,
      },
    );
  });
}
