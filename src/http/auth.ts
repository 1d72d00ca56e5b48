import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../domain/principal.js';
import { notFound, ServiceError } from '../domain/service-error.js';
import { isPublic, mayCall, type OperationId, POLICY } from './policy.js';
import { delayRefusal } from './refusal.js';

/** Resolves a bearer token to its principal; undefined if the token is not valid. */
export type Authenticate = (token: string) => Promise<Principal | undefined>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route that is not public. */
    principal: Principal | null;
    /** Whether the request's key or token is still valid. */
    isStillValid: (() => Promise<boolean>) | null;
  }
}

export interface AuthOptions {
  readonly authenticate: Authenticate;
  /** @throws ServiceError `forbidden` if the principal is a deactivated user */
  readonly requireActive: (principal: Principal) => Promise<void>;
  /** Tickets of event streams, for browsers, whose `EventSource` sends no token. */
  readonly tickets: Tickets;
  /** Counts a request that is about to be rejected. @throws ServiceError `rate_limited` */
  readonly countRejected: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
}

/** See `modules/syncs/event-tickets.ts`. */
export interface Tickets {
  take(stream: Stream, ticket: string): Promise<Principal | 'used' | undefined>;
  isStillValid(stream: Stream, principal: Principal): Promise<boolean>;
}

interface Stream {
  readonly tenantId: string;
  readonly runId: string;
}

const BEARER = /^Bearer +([!-~]+)$/i;
/** Longer than any valid token. Node limits all headers together to 16 KiB. */
const TOKEN_MAX_LENGTH = 8_192;

/** Authenticates requests. Registering a route whose operation id is not in the policy throws. */
export function registerAuth(
  app: FastifyInstance,
  { authenticate, requireActive, countRejected, tickets }: AuthOptions,
): void {
  app.decorateRequest('principal', null);
  app.decorateRequest('isStillValid', null);
  app.addHook('onRoute', (route) => {
    if (route.schema?.hide === true) return;
    const id = route.schema?.operationId;
    if (id === undefined || !(id in POLICY))
      throw new Error(`${String(route.method)} ${route.url} is not in the policy`);
  });
  app.addHook('onRequest', async (request, reply) => {
    const { schema } = request.routeOptions;
    // Unknown routes and the docs pages hold no data.
    if (schema === undefined || schema.hide === true) return;
    const id = schema.operationId as OperationId;
    if (isPublic(id)) return;
    const ticket = id === 'listSyncEvents' ? findTicket(request) : undefined;
    try {
      if (ticket !== undefined) {
        const taken = await takeTicket(tickets, ticket);
        if (taken === 'used') {
          await countRejected(request, reply);
          // Ends the reconnecting of an EventSource.
          return reply.code(204).send();
        }
        request.principal = taken;
      } else {
        request.principal = await authenticateRequest(request, authenticate);
      }
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'unauthenticated') await countRejected(request, reply);
      // Too many unknown keys are being looked up.
      if (error instanceof ServiceError && error.code === 'rate_limited') await delayRefusal();
      throw error;
    }
    const { principal: caller } = request;
    request.isStillValid = async () => {
      const principal = ticket === undefined ? await authenticateRequest(request, authenticate) : caller;
      await requireActive(principal);
      return ticket === undefined || tickets.isStillValid(ticket.stream, principal);
    };
  });
}

/** For responses that take long. False if the caller's key or token is no longer valid, or the user was deactivated. */
export async function recheckPrincipal(request: FastifyRequest): Promise<boolean> {
  try {
    return (await request.isStillValid?.()) ?? false;
  } catch (error) {
    if (error instanceof ServiceError && ['unauthenticated', 'forbidden'].includes(error.code)) return false;
    throw error;
  }
}

/** Authorizes requests by role and tenant; must run after `registerAuth`. */
export function registerPolicy(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const { principal } = request;
    // Public and unknown routes only: `registerAuth` rejects other requests without a principal.
    if (principal === null) return;
    const id = request.routeOptions.schema?.operationId as OperationId;
    if (!mayCall(id, principal.role))
      throw new ServiceError('forbidden', `The role "${principal.role}" does not allow this operation.`);
    const { tenant_id: tenantId } = request.params as { tenant_id?: string };
    // The same response as for a missing tenant, so that callers cannot find out which tenants exist.
    if (tenantId !== undefined && principal.tenantId !== null && principal.tenantId !== tenantId)
      throw notFound('tenant');
  });
}

/** The authenticated caller. Throws on public routes. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new TypeError('a public route has no principal');
  return request.principal;
}

interface Ticket {
  readonly stream: Stream;
  readonly text: string;
}

/** The ticket in the URL of an event stream. A token has precedence. */
function findTicket({ headers, query, params }: FastifyRequest): Ticket | undefined {
  const { ticket } = query as { readonly ticket?: unknown };
  if (typeof ticket !== 'string' || headers.authorization !== undefined) return undefined;
  const { tenant_id: tenantId = '', id: runId = '' } = params as { readonly tenant_id?: string; readonly id?: string };
  return { stream: { tenantId, runId }, text: ticket };
}

async function takeTicket(tickets: Tickets, { stream, text }: Ticket): Promise<Principal | 'used'> {
  const taken = await tickets.take(stream, text);
  const isValid = taken === 'used' || (taken !== undefined && (await tickets.isStillValid(stream, taken)));
  if (taken === undefined || !isValid)
    throw new ServiceError(
      'unauthenticated',
      'The ticket or its caller is no longer valid, or it is not one of this event stream. Request a new one with POST …/event-tickets.',
    );
  return taken;
}

async function authenticateRequest({ headers }: FastifyRequest, authenticate: Authenticate): Promise<Principal> {
  const token = BEARER.exec(headers.authorization ?? '')?.[1];
  if (token === undefined)
    throw new ServiceError('unauthenticated', 'Send the header "Authorization: Bearer <API key or token>".');
  if (token.length > TOKEN_MAX_LENGTH)
    throw new ServiceError(
      'unauthenticated',
      `The token has ${token.length} characters; the limit is ${TOKEN_MAX_LENGTH}.`,
    );
  const principal = await authenticate(token);
  if (principal === undefined)
    throw new ServiceError('unauthenticated', 'The API key is unknown or deleted, or the token is invalid or expired.');
  return principal;
}
