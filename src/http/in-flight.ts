import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import pLimit, { type LimitFunction } from 'p-limit';
import { type Principal, toActor } from '../domain/principal.js';
import { ServiceError } from '../domain/service-error.js';
import { delayRefusal, REFUSAL_SECONDS } from './refusal.js';
import { onceResponseEnds } from './response-end.js';

interface Limits {
  /** Handled at once, as a share of the database connections, so that others still get one. */
  readonly share: number;
  /** Further requests wait; beyond this number they are refused. */
  readonly waiting: number;
}

const OF_USER: Limits = { share: 0.2, waiting: 40 };
/** A server may use one key for many users. */
const OF_KEY: Limits = { share: 0.5, waiting: 100 };
/** Of an operator in one tenant: scripts work on many. */
const OF_OPERATOR: Limits = { share: 0.8, waiting: 200 };
const OF_TENANT: Limits = { share: 0.6, waiting: 80 };
/** Responses of a caller that were sent but not received yet. */
const MAX_UNRECEIVED = 50;

declare module 'fastify' {
  interface FastifyRequest {
    /** Let the next waiting requests begin. Null before the request took its slots. */
    releaseSlots: (() => void)[] | null;
  }
}

export interface InFlight {
  /** A hook that takes the slots of a request. The body was received before, so that a slow sender holds no slot. */
  readonly takeSlots: (request: FastifyRequest) => Promise<void>;
  /** A hook for when the reply begins, so that a slow reader holds no slot. */
  readonly releaseSlots: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
}

/**
 * Limits how many requests of a caller and of a tenant are handled at once, before they take a database connection: one caller's
 * flood then waits for itself. An operator's key is limited in each tenant apart.
 * @param connections of the database pool
 */
export function createInFlight(app: FastifyInstance, connections: number): InFlight {
  const limiters = new Map<string, LimitFunction>();
  const unreceived = new Map<string, number>();
  app.decorateRequest('releaseSlots', null);

  const acquire = async (key: string, { share, waiting }: Limits): Promise<() => void> => {
    const active = Math.max(1, Math.floor(connections * share));
    const limiter = limiters.get(key) ?? pLimit(active);
    if (limiter.activeCount >= active && limiter.pendingCount >= waiting) return refuse();
    limiters.set(key, limiter);
    return new Promise((acquired) => {
      void limiter(() => new Promise<void>(acquired)).then(() => {
        if (limiter.activeCount + limiter.pendingCount === 0) limiters.delete(key);
      });
    });
  };

  const countUnreceived = (key: string, difference: number): void => {
    const count = (unreceived.get(key) ?? 0) + difference;
    if (count === 0) unreceived.delete(key);
    else unreceived.set(key, count);
  };

  return {
    async takeSlots(request) {
      const taken: (() => void)[] = [];
      request.releaseSlots = taken;
      const { principal } = request;
      if (principal === null) return;
      const tenantId = toTenantId(request, principal);
      const isOperator = principal.role === 'operator';
      const caller = toCallerKey(principal);
      if ((unreceived.get(caller) ?? 0) >= MAX_UNRECEIVED) return refuse();
      const key = isOperator ? `${caller} ${tenantId ?? ''}` : caller;
      taken.push(await acquire(key, isOperator ? OF_OPERATOR : principal.kind === 'api_key' ? OF_KEY : OF_USER));
      if (tenantId !== null) taken.push(await acquire(tenantId, OF_TENANT));
    },
    async releaseSlots(request, reply) {
      const { releaseSlots, principal } = request;
      for (const release of releaseSlots?.splice(0) ?? []) release();
      if (principal === null) return;
      const caller = toCallerKey(principal);
      countUnreceived(caller, 1);
      onceResponseEnds(request, reply, () => countUnreceived(caller, -1));
    },
  };
}

async function refuse(): Promise<never> {
  await delayRefusal();
  throw new ServiceError('rate_limited', 'Too many requests of this caller or tenant are in progress.', {
    retryAfterSeconds: REFUSAL_SECONDS,
  });
}

/** User ids are unique only within a tenant. */
export const toCallerKey = (principal: Principal): string => `${principal.tenantId ?? ''} ${toActor(principal)}`;

function toTenantId({ params }: FastifyRequest, { tenantId }: Principal): string | null {
  const { tenant_id: requested } = (params ?? {}) as { tenant_id?: string };
  return requested ?? tenantId;
}
