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
  /** Counts a request that is about to be rejected. @throws ServiceError `rate_limited` */
  readonly countRejected: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
}

const BEARER = /^Bearer +([!-~]+)$/i;
/** Longer than any valid token. Node limits all headers together to 16 KiB. */
const TOKEN_MAX_LENGTH = 8_192;

/** Authenticates requests. Registering a route whose operation id is not in the policy throws. */
export function registerAuth(app: FastifyInstance, { authenticate, requireActive, countRejected }: AuthOptions): void {
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
    try {
      request.principal = await authenticateRequest(request, authenticate);
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'unauthenticated') await countRejected(request, reply);
      // Too many unknown keys are being looked up.
      if (error instanceof ServiceError && error.code === 'rate_limited') await delayRefusal();
      throw error;
    }
    request.isStillValid = async () => {
      const principal = await authenticateRequest(request, authenticate);
      await requireActive(principal);
      return true;
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
