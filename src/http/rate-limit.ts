import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../domain/service-error.js';
import { principalOf } from './auth.js';
import { toCallerKey } from './in-flight.js';
import type { OperationId } from './policy.js';
import { delayRefusal } from './refusal.js';

const WINDOW_SECONDS = 60;
/** The address of a connection that ended before it was read. */
const GONE = 'gone';
/** Counters beyond this number are evicted, least recently used first. */
const MAX_CALLERS = 10_000;

export interface RateLimits {
  /** Of each principal. */
  readonly perMinute: number;
  /** Of each address, for requests without a valid key or token. */
  readonly unauthenticatedPerMinute: number;
}

/** Counts a request. @throws ServiceError `rate_limited` */
type Count = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** The probes of load balancers and orchestrators are never refused. */
const NEVER_LIMITED: readonly OperationId[] = ['getLivez', 'getReadyz'];

/**
 * Limits the requests per minute and process: of each principal, also those that authorization rejects later; and of each
 * address, those without a valid principal. The response headers follow draft-ietf-httpapi-ratelimit-headers.
 * @returns `countRejected` for requests that authentication is about to reject, `count` for all others
 */
export async function createRateLimits(
  app: FastifyInstance,
  { perMinute, unauthenticatedPerMinute }: RateLimits,
): Promise<{ readonly count: Count; readonly countRejected: Count }> {
  await app.register(rateLimit, { global: false, cache: MAX_CALLERS });
  const createCount = (name: string, max: number, keyGenerator: (request: FastifyRequest) => string): Count => {
    const count = app.createRateLimit({ max, timeWindow: WINDOW_SECONDS * 1_000, keyGenerator });
    return async (request, reply) => {
      const counted = await count(request);
      if (counted.isAllowed) return;
      const { remaining, ttlInSeconds, isExceeded } = counted;
      reply.headers({
        'ratelimit-policy': `"${name}";q=${max};w=${WINDOW_SECONDS}`,
        ratelimit: `"${name}";r=${remaining};t=${ttlInSeconds}`,
      });
      if (!isExceeded) return;
      throw new ServiceError(
        'rate_limited',
        `The limit is ${max} requests per minute. Retry in ${ttlInSeconds} seconds.`,
        { retryAfterSeconds: ttlInSeconds },
      );
    };
  };
  const countCaller = createCount('caller', perMinute, (request) => toCallerKey(principalOf(request)));
  const countAddress = createCount('address', unauthenticatedPerMinute, ({ ip }) => normalizeIP(ip ?? GONE));
  const countRejected: Count = async (request, reply) => {
    try {
      await countAddress(request, reply);
    } catch (error) {
      await delayRefusal();
      throw error;
    }
  };
  return {
    countRejected,
    async count(request, reply) {
      if (request.principal !== null) return countCaller(request, reply);
      const id = request.routeOptions.schema?.operationId as OperationId | undefined;
      if (id === undefined || !NEVER_LIMITED.includes(id)) await countRejected(request, reply);
    },
  };
}
