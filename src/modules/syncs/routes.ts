import type { Db } from '../../db/database.js';
import { PLAN_KINDS } from '../../domain/change-kind.js';
import type { Principal } from '../../domain/principal.js';
import { namesOf, toFieldPairs, toSnakeCaseFields } from '../../domain/snake-case.js';
import { NO_COUNTS, PLAN_ACTIONS, RUN_STATUSES, RUN_STEPS } from '../../domain/sync-run.js';
import { principalOf } from '../../http/auth.js';
import {
  EVENT_STREAM,
  EventQuerySchema,
  type EventStreams,
  eventHeaders,
  lastEventIdOf,
  type StreamEvent,
} from '../../http/event-stream.js';
import type { ListRoutes } from '../../http/list-route.js';
import { operation } from '../../http/operation.js';
import { locationHeader, TenantParams, toItemParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { parseWordList } from '../../http/word-list.js';
import { cancelSync } from './cancel-service.js';
import type { EventTickets } from './event-tickets.js';
import { followRun, getRunEvent, type RunEvent } from './follow-run.js';
import { toSkipText, toWarningMessage } from './messages.js';
import { listPlan, type PlanPageItem } from './plan-service.js';
import type { SyncRun } from './repository.js';
import { confirmRun, dismissRun, type ReviewPorts } from './review-service.js';
import {
  EventTicketSchema,
  PlanPageSchema,
  PlanQuerySchema,
  SyncBodySchema,
  SyncEventsSchema,
  SyncListQuerySchema,
  SyncRunPageSchema,
  SyncRunSchema,
} from './schema.js';
import { getSync, listSyncs, type StartSyncPorts, startSync } from './service.js';

export interface SyncsDeps extends StartSyncPorts, ReviewPorts {
  readonly db: Db;
  readonly lists: ListRoutes;
  readonly streams: EventStreams;
  readonly tickets: EventTickets;
  /** The base of links. */
  readonly publicUrl: string;
}

export function registerSyncsRoutes(app: App, { db, lists, streams, tickets, publicUrl, ...ports }: SyncsDeps): void {
  app.post(
    '/v1/tenants/:tenant_id/syncs',
    {
      schema: operation({
        id: 'startSync',
        tag: 'Syncs',
        summary: 'Start a sync',
        description:
          'Returns immediately; the run is executed in the background. If a full run is already queued or running, returns that run. Requires a UBI, a company creation preference and a usable credential. A `preview` is always a new run; a tenant has at most 3 that are queued or running. A forced refresh within 30 seconds (or as the operator has set) of the end of the last one returns the active run, or 429.',
        params: TenantParams,
        body: SyncBodySchema,
        replies: {
          202: {
            description: 'The run. Read it again until `finished_datetime` is set.',
            schema: SyncRunSchema,
            headers: locationHeader,
          },
        },
        errors: ['not_found', 'setup_incomplete'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const input = { mode: body.mode ?? 'full', refresh: body.refresh ?? 'auto', principal: principalOf(request) };
      const run = await startSync(db, ports, params.tenant_id, input);
      reply.code(202).header('location', `/v1/tenants/${params.tenant_id}/syncs/${run.id}`);
      return toSyncRunReply(run, principalOf(request));
    },
  );

  lists.register(app, {
    path: '/v1/tenants/:tenant_id/syncs',
    id: 'listSyncs',
    tag: 'Syncs',
    summary: 'List syncs',
    description:
      'Runs are deleted after a time that the operator sets (90 days by default), and previews that were not applied after another (24 hours by default) or when five newer ones exist. Open reviews, the last successful run, the last failure and runs that created companies are always kept. `run_id` in other resources can name a deleted run.',
    params: TenantParams,
    querystring: SyncListQuerySchema,
    schema: SyncRunPageSchema,
    pageDescription: 'A page of runs, newest first.',
    list: async ({ params, query, page }) => {
      const { status, trigger, mode } = query;
      const filters = { statuses: parseWordList('status', status, RUN_STATUSES), trigger, mode };
      return listSyncs(db, params.tenant_id, filters, page);
    },
    toReply: (run, { principal }) => toSyncRunReply(run, principal),
  });

  app.get(
    '/v1/tenants/:tenant_id/syncs/:id',
    {
      schema: operation({
        id: 'getSync',
        tag: 'Syncs',
        summary: 'Get a sync',
        params: toItemParams('sync run'),
        replies: { 200: { description: 'The run.', schema: SyncRunSchema } },
        errors: ['not_found'],
      }),
    },
    async (request) => {
      const { params } = request;
      return toSyncRunReply(await getSync(db, params.tenant_id, params.id), principalOf(request));
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/syncs/:id/cancel',
    {
      schema: operation({
        id: 'cancelSync',
        tag: 'Syncs',
        summary: 'Cancel a sync',
        description: 'Cancels a queued or running run. Changes that are not committed yet are discarded.',
        params: toItemParams('sync run'),
        replies: { 200: { description: 'The canceled run.', schema: SyncRunSchema } },
        errors: ['not_found', 'run_ended'],
      }),
    },
    async (request) => {
      const { params } = request;
      return toSyncRunReply(await cancelSync(db, params.tenant_id, params.id), principalOf(request));
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/syncs/:id/event-tickets',
    {
      schema: operation({
        id: 'createEventTicket',
        tag: 'Syncs',
        summary: 'Create a ticket for an event stream',
        description:
          "For the `EventSource` of a browser, which cannot send a token. The ticket works once, within 60 seconds, for this run's event stream only, and reads it as the caller. Request a new one for each connection.",
        params: toItemParams('sync run'),
        replies: { 201: { description: 'The ticket.', schema: EventTicketSchema } },
        errors: ['not_found'],
      }),
    },
    async (request, reply) => {
      const { tenant_id: tenantId, id: runId } = request.params;
      const { ticket, expiresAt } = await tickets.create({ tenantId, runId }, principalOf(request));
      const path = `/v1/tenants/${tenantId}/syncs/${runId}/events?ticket=${ticket}`;
      reply.code(201);
      return { ticket, url: publicUrl + path, expires_datetime: expiresAt.toISOString() };
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/syncs/:id/events',
    {
      schema: operation({
        id: 'listSyncEvents',
        tag: 'Syncs',
        summary: 'Stream the progress of a sync',
        description:
          'Server-sent events: `progress` with the whole run after each change, then `end` with the final run, then the stream closes. With `Last-Event-ID`, the event with that id is not sent again. Browsers whose `EventSource` cannot send a token use a ticket from `POST …/event-tickets`.',
        params: toItemParams('sync run'),
        querystring: EventQuerySchema,
        headers: eventHeaders,
        replies: {
          200: { description: 'The events.', schema: SyncEventsSchema, type: EVENT_STREAM },
          204: {
            description: 'The run has ended and `Last-Event-ID` is its last event, or the ticket was used before.',
          },
        },
        errors: ['not_found', 'streams_exhausted'],
      }),
    },
    async (request, reply) => {
      const { tenant_id: tenantId, id } = request.params;
      const [first, seen] = [await getRunEvent(db, tenantId, id), lastEventIdOf(request)];
      if (first.isLast && first.id === seen) return reply.code(204).send();
      return streams.send(request, reply, (wait) =>
        toStreamEvents(followRun(db, tenantId, first, seen, wait), principalOf(request)),
      );
    },
  );

  lists.register(app, {
    path: '/v1/tenants/:tenant_id/syncs/:id/plan',
    id: 'getSyncPlan',
    tag: 'Syncs',
    summary: 'List the plan items of a sync',
    description:
      'What an applied run did, or what a preview or a run in review would do: first the changes, then adoptions, conflicts and skipped rows, then the unchanged companies. For an applied run, at most 100 adoptions, 100 conflicts, 100 skipped rows and 100 filtered rows are listed; its `counts` and `rows` include all of them. The plans of deleted previews are deleted with them. With several filters, an item must match all of them.',
    params: toItemParams('sync run'),
    querystring: PlanQuerySchema,
    schema: PlanPageSchema,
    pageDescription: 'A page of plan items.',
    list: async ({ params, query, page }) => {
      const filters = {
        actions: parseWordList('action', query.action, PLAN_ACTIONS),
        kinds: parseWordList('kind', query.kind, PLAN_KINDS),
        companyId: query.company_id,
      };
      return listPlan(db, { tenantId: params.tenant_id, runId: params.id, filters }, page);
    },
    toReply: toPlanItemReply,
  });

  app.post(
    '/v1/tenants/:tenant_id/syncs/:id/confirm',
    {
      schema: operation({
        id: 'confirmSync',
        tag: 'Syncs',
        summary: 'Confirm a sync in review',
        description:
          "Applies exactly the plan that `GET …/plan` returns. Returns 409 if its inputs changed since the plan was made. If the reason of the run is `list_shrunk`, or if it succeeded with the warning `missing_kept` or `list_dismissed`, accepts the state's list instead and returns a new run that reads the list again; only operators can do this. No tenant of the state has to confirm the accepted loss again.",
        params: toItemParams('sync run'),
        replies: { 200: { description: 'The applied run, or the new run.', schema: SyncRunSchema } },
        errors: ['not_found', 'not_in_review', 'plan_stale'],
      }),
    },
    async (request) => {
      const { tenant_id, id } = request.params;
      const principal = principalOf(request);
      return toSyncRunReply(await confirmRun(db, ports, tenant_id, id, principal), principal);
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/syncs/:id/dismiss',
    {
      schema: operation({
        id: 'dismissSync',
        tag: 'Syncs',
        summary: 'Dismiss a sync in review',
        description:
          "Nothing is changed. The plan is not proposed again until the state's list or the setup changes. If the reason of the run is `list_shrunk`, later syncs use the last accepted list, with the warning `list_dismissed`, until the state lists something else.",
        params: toItemParams('sync run'),
        replies: { 200: { description: 'The canceled run.', schema: SyncRunSchema } },
        errors: ['not_found', 'not_in_review'],
      }),
    },
    async (request) => {
      const { params } = request;
      const principal = principalOf(request);
      return toSyncRunReply(await dismissRun(db, params.tenant_id, params.id, principal), principal);
    },
  );
}

async function* toStreamEvents(
  events: AsyncIterable<RunEvent | undefined>,
  principal: Principal,
): AsyncGenerator<StreamEvent | undefined> {
  for await (const event of events) {
    yield event === undefined
      ? undefined
      : { id: event.id, event: event.isLast ? 'end' : 'progress', data: toSyncRunReply(event.run, principal) };
  }
}

const toPlanItemReply = (item: PlanPageItem) => ({
  action: item.action,
  kind: item.kind,
  reason: item.reason,
  company_id: item.companyId,
  company_name: item.companyName,
  from_company_id: item.fromCompanyId,
  from_company_name: item.fromCompanyName,
  license_id: item.licenseId,
  license_number: item.licenseNumber,
  license_name: item.licenseName,
  before: item.before,
  after: item.after,
});

const COUNT_FIELDS = toFieldPairs(namesOf(NO_COUNTS));

export function toSyncRunReply(run: SyncRun, { role }: Principal) {
  return {
    id: run.id,
    status: run.status,
    reason: run.reason,
    reason_message: run.reasonMessage,
    operator_detail: role === 'operator' ? run.operatorDetail : null,
    trigger: run.trigger,
    mode: run.mode,
    refresh: run.refresh,
    strategy: run.strategy,
    counts: run.counts && toSnakeCaseFields(run.counts, COUNT_FIELDS),
    rows: run.rows,
    warnings: run.warnings.map((warning) => toWarningMessage(warning, run.counts?.conflicts ?? 0)),
    skips: run.skips.map((skip) => ({
      reason: skip.reason,
      license_number: skip.licenseNumber,
      ubi: skip.ubi,
      name: skip.name,
      text: toSkipText(skip),
    })),
    progress: { step: run.step, done: RUN_STEPS.indexOf(run.step), total: RUN_STEPS.length - 1 },
    directory_version: run.directoryVersion,
    credential:
      run.credentialId === null || run.credentialOwner === null || run.credentialReason === null
        ? null
        : { id: run.credentialId, owner: run.credentialOwner, reason: run.credentialReason },
    include_labs: run.includeLabs,
    applied_datetime: run.appliedAt?.toISOString() ?? null,
    attempt: run.attempt,
    requested_by: run.requestedBy,
    requested_datetime: run.requestedAt.toISOString(),
    started_datetime: run.startedAt?.toISOString() ?? null,
    finished_datetime: run.finishedAt?.toISOString() ?? null,
    retry_datetime: run.retryAt?.toISOString() ?? null,
  };
}
