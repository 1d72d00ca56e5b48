import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import pLimit, { type LimitFunction } from 'p-limit';
import { type Principal, toActor } from '../domain/principal.js';
import { ServiceError } from '../domain/service-error.js';

interface Limits {
  /** Handled at once; fewer than the connections of the pool, so that others still get one. */
  readonly active: number;
  /** Further requests wait; beyond this number they are refused. */
  readonly waiting: number;
}

const OF_CALLER: Limits = { active: 3, waiting: 40 };
/** Operators run scripts for many tenants. */
const OF_OPERATOR: Limits = { active: 8, waiting: 200 };
const OF_TENANT: Limits = { active: 6, waiting: 80 };
const RETRY_AFTER_SECONDS = 1;

declare module 'fastify' {
  interface FastifyRequest {
    /** Lets the next waiting request begin. */
    releaseSlots: (() => void)[];
  }
}

/**
 * Limits how many requests of a caller and of a tenant are handled at once, before they take a database connection: one caller's
 * flood then waits for itself. The body was received already, so that a slow sender holds no slot. A slot is free again when the
 * reply begins, so that a slow reader holds none either.
 */
export function registerInFlight(app: FastifyInstance): void {
  const limiters = new Map<string, LimitFunction>();
  app.decorateRequest('releaseSlots', null as never);

  const acquire = async (key: string, { active, waiting }: Limits): Promise<() => void> => {
    const limiter = limiters.get(key) ?? pLimit(active);
    if (limiter.activeCount >= active && limiter.pendingCount >= waiting) {
      // A caller that repeats a refused request at once would otherwise keep the process busy with refusals. The time varies, so
      // that the requests of a burst do not come back as one.
      await delay(RETRY_AFTER_SECONDS * 1_000 * (1 + Math.random()), undefined, { ref: false });
      throw new ServiceError('rate_limited', 'Too many requests of this caller or tenant are in progress.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    limiters.set(key, limiter);
    return new Promise((acquired) => {
      void limiter(() => new Promise<void>(acquired)).then(() => {
        if (limiter.activeCount + limiter.pendingCount === 0) limiters.delete(key);
      });
    });
  };

  app.addHook('preValidation', async (request) => {
    request.releaseSlots = [];
    const { principal } = request;
    if (principal === null) return;
    const limits = principal.role === 'operator' ? OF_OPERATOR : OF_CALLER;
    request.releaseSlots.push(await acquire(toCallerKey(principal), limits));
    const tenantId = toTenantId(request, principal);
    if (tenantId !== null) request.releaseSlots.push(await acquire(tenantId, OF_TENANT));
  });
  app.addHook('onSend', async ({ releaseSlots }) => {
    for (const release of releaseSlots?.splice(0) ?? []) release();
  });
}

/** User ids are unique only within a tenant. */
export const toCallerKey = (principal: Principal): string => `${principal.tenantId ?? ''} ${toActor(principal)}`;

function toTenantId({ params }: FastifyRequest, { tenantId }: Principal): string | null {
  const { tenant_id: requested } = (params ?? {}) as { tenant_id?: string };
  return requested ?? tenantId;
}
