import type { FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { PageOf, PageRequest } from '../domain/page.js';
import type { Principal } from '../domain/principal.js';
import type { ErrorCode } from '../domain/service-error.js';
import { principalOf } from './auth.js';
import { operation } from './operation.js';
import { createPageSender } from './page-cache.js';
import type { PageQuery, Pager } from './pages.js';
import type { OperationId } from './policy.js';
import { Body, pageQuery } from './primitives.js';
import type { App } from './server.js';

/** What a list is asked for. */
export interface ListCall<Params, Query> {
  readonly params: Params;
  readonly query: Query;
  readonly page: PageRequest;
  readonly principal: Principal;
}

export interface ListRoute<P extends TSchema, Q extends TSchema, Item, Extra> {
  /** With `:name` for parameters. */
  readonly path: string;
  readonly id: OperationId;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly params: P;
  /** Includes `pageQuery`. */
  readonly querystring: Q;
  readonly schema: TSchema;
  /** What a page contains and in which order. */
  readonly pageDescription: string;
  readonly errors?: readonly ErrorCode[];
  readonly list: (call: ListCall<Static<P>, Static<Q>>) => Promise<PageOf<Item> & Extra>;
  readonly toReply: (item: Item, call: ListCall<Static<P>, Static<Q>>) => unknown;
  /** Further fields of the page. `toCursor` makes a cursor of a position. */
  readonly toFields?: (
    page: PageOf<Item> & Extra,
    toCursor: (position: string) => string,
  ) => Readonly<Record<string, unknown>>;
}

/** A large list: its pages are cached, and callers that have the current one get 304 without reading it. */
export interface CachedListRoute<P extends TSchema, Q extends TSchema, Item, Extra>
  extends ListRoute<P, Q, Item, Extra & { readonly revision: string }> {
  /** The revision of what is listed; cheap to read. Undefined if the tenant does not exist; `list` then throws. */
  readonly findRevision: (call: ListCall<Static<P>, Static<Q>>) => Promise<string | undefined>;
}

/** Registers the operations that return a page of a list. */
export interface ListRoutes {
  register<P extends TSchema, Q extends TSchema, Item, Extra>(app: App, route: ListRoute<P, Q, Item, Extra>): void;
  registerCached<P extends TSchema, Q extends TSchema, Item, Extra>(
    app: App,
    route: CachedListRoute<P, Q, Item, Extra>,
  ): void;
}

/** The query parameters of a list without filters. */
export const PageQuerySchema = Body(pageQuery);

/** @param cacheMegabytes size of the cache for pages; 0 disables it */
export function createListRoutes(pager: Pager, cacheMegabytes: number): ListRoutes {
  const sendCachedPage = createPageSender(cacheMegabytes);
  return {
    register(app, route) {
      app.get(route.path, { schema: toSchema(route) }, async (request) => {
        const { call, toBody } = readRequest(request, route, pager);
        return toBody(await route.list(call));
      });
    },
    registerCached(app, route) {
      app.get(route.path, { schema: toSchema(route) }, async (request, reply) => {
        const { call, path, query, toBody } = readRequest(request, route, pager);
        return sendCachedPage(request, reply, {
          toEtag: (revision) => pager.toEtag(path, query, revision),
          findRevision: () => route.findRevision(call),
          read: () => route.list(call),
          toReply: toBody,
        });
      });
    },
  };
}

function toSchema<P extends TSchema, Q extends TSchema, Item, Extra>(route: ListRoute<P, Q, Item, Extra>) {
  const { id, tag, summary, description, params, querystring, schema, pageDescription, errors = [] } = route;
  return operation({
    id,
    tag,
    summary,
    ...(description === undefined ? {} : { description }),
    params,
    querystring,
    replies: { 200: { description: pageDescription, schema } },
    errors: [...('tenant_id' in propertiesOf(params) ? (['not_found'] as const) : []), 'invalid_cursor', ...errors],
  });
}

const propertiesOf = (schema: TSchema): object => (schema as { readonly properties?: object }).properties ?? {};

function readRequest<P extends TSchema, Q extends TSchema, Item, Extra>(
  request: FastifyRequest,
  { path: template, toReply, toFields = () => ({}) }: ListRoute<P, Q, Item, Extra>,
  pager: Pager,
) {
  const params = request.params as Readonly<Record<string, string>>;
  const path = template.replace(/:([a-z_]+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
  const query = request.query as PageQuery;
  const call: ListCall<Static<P>, Static<Q>> = {
    params: params as Static<P>,
    query: query as Static<Q>,
    page: pager.toPageRequest(path, query),
    principal: principalOf(request),
  };
  const toCursor = (position: string): string => pager.toCursor(path, query, position);
  const toBody = (page: PageOf<Item> & Extra): Record<string, unknown> => ({
    data: page.items.map((item) => toReply(item, call)),
    next_page: pager.toNextPage(path, query, page),
    ...toFields(page, toCursor),
  });
  return { call, path, query, toBody };
}
