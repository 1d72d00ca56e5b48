import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal } from '../domain/principal.js';
import { notFound, ServiceError } from '../domain/service-error.js';
import { isPublic, mayCall, type OperationId, POLICY } from './policy.js';

/** Finds out who a bearer token stands for; undefined for nobody. */
export type Authenticate = (token: string) => Promise<Principal | undefined>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route that is not public. */
    principal: Principal | null;
  }
}

const BEARER = /^Bearer +([!-~]+)$/i;
/** More than any of ours; Node takes 16 KiB of headers in all. */
const TOKEN_MAX_LENGTH = 8_192;

/** Finds out who is calling. Refuses by default: a route without an operation id in the policy does not start. */
export function registerAuth(app: FastifyInstance, authenticate: Authenticate): void {
  app.decorateRequest('principal', null);
  app.addHook('onRoute', (route) => {
    if (route.schema?.hide === true) return;
    const id = route.schema?.operationId;
    if (id === undefined || !(id in POLICY))
      throw new Error(`${String(route.method)} ${route.url} is not in the policy`);
  });
  app.addHook('onRequest', async (request) => {
    const { schema } = request.routeOptions;
    // Unknown routes and the docs page: there is nothing to protect.
    if (schema === undefined || schema.hide === true) return;
    const id = schema.operationId as OperationId;
    if (!isPublic(id)) request.principal = await identify(request, authenticate);
  });
}

/** Stops who may not do what he asks for; to be used once it is known who he is. */
export function registerPolicy(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const { principal } = request;
    // Public and unknown routes: on any other, nobody comes this far without a name.
    if (principal === null) return;
    const id = request.routeOptions.schema?.operationId as OperationId;
    if (!mayCall(id, principal.role))
      throw new ServiceError('forbidden', `The role ${principal.role} may not do this.`);
    const { tenant_id: tenantId } = request.params as { tenant_id?: string };
    // The same answer as for a tenant that does not exist: who may not see it learns nothing of it.
    if (tenantId !== undefined && principal.tenantId !== null && principal.tenantId !== tenantId)
      throw notFound('tenant');
  });
}

/** Who is calling; to be asked only on routes that are not public. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new TypeError('this route is public: nobody is known to call it');
  return request.principal;
}

async function identify({ headers }: FastifyRequest, authenticate: Authenticate): Promise<Principal> {
  const token = BEARER.exec(headers.authorization ?? '')?.[1];
  if (token === undefined)
    throw new ServiceError('unauthenticated', 'Send "Authorization: Bearer <API key or token>".');
  if (token.length > TOKEN_MAX_LENGTH)
    throw new ServiceError(
      'unauthenticated',
      `The token has ${token.length} characters; ${TOKEN_MAX_LENGTH} are read at most.`,
    );
  const principal = await authenticate(token);
  if (principal === undefined)
    throw new ServiceError('unauthenticated', 'The API key is unknown or was deleted, or the token is not valid here.');
  return principal;
}
