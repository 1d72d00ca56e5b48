import type { Db } from '../../db/database.js';
import { RUN_STEPS } from '../../domain/sync-run.js';
import { principalOf } from '../../http/auth.js';
import { EVENT_STREAM, type EventStreams, lastEventIdOf, type StreamEvent } from '../../http/event-stream.js';
import { listHeaders, sendList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { Body, ItemParams, locationHeader, pageQuery, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { cancelSync } from './cancel-service.js';
import { followRun, getRunEvent, type RunEvent } from './follow-run.js';
import { listPlan, type PlanLine } from './plan-service.js';
import { WARNING_DETAILS } from './reason-details.js';
import type { SyncRun as SyncRunRow } from './repository.js';
import { confirmRun, dismissRun, type ReviewPorts } from './review-service.js';
import { PlanPageSchema, SyncBodySchema, SyncRunPageSchema, SyncRunSchema } from './schema.js';
import { getSync, listSyncs, type StartSyncPorts, startSync } from './service.js';

export interface SyncsDeps extends StartSyncPorts, ReviewPorts {
  readonly db: Db;
  readonly pager: Pager;
  readonly streams: EventStreams;
}

export function registerSyncsRoutes(app: App, { db, pager, streams, ...ports }: SyncsDeps): void {
  app.post(
    '/v1/tenants/:tenant_id/syncs',
    {
      schema: operation({
        id: 'startSync',
        tag: 'Syncs',
        summary: 'Bring the companies up to date',
        description:
          'Answers at once. If a run is queued or running already, that one is the answer. Needs UBI, preference and a login.',
        params: TenantParams,
        body: SyncBodySchema,
        replies: {
          202: { description: 'The run; read it until it has ended.', schema: SyncRunSchema, headers: locationHeader },
        },
        errors: ['not_found', 'setup_incomplete'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const input = { mode: body.mode ?? 'full', refresh: body.refresh ?? 'auto', principal: principalOf(request) };
      const run = await startSync(db, ports, params.tenant_id, input);
      reply.code(202).header('location', `/v1/tenants/${params.tenant_id}/syncs/${run.id}`);
      return toSyncRunReply(run);
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/syncs',
    {
      schema: operation({
        id: 'listSyncs',
        tag: 'Syncs',
        summary: 'The runs, newest first',
        params: TenantParams,
        querystring: Body(pageQuery),
        headers: listHeaders,
        replies: toListReplies('A page.', SyncRunPageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/syncs`;
      const page = await listSyncs(db, params.tenant_id, pager.toPageRequest(path, query));
      return sendList(request, reply, {
        data: page.items.map(toSyncRunReply),
        next_page: pager.toNextPage(path, query, page),
      });
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/syncs/:id',
    {
      schema: operation({
        id: 'getSync',
        tag: 'Syncs',
        summary: 'One run: where it stands, or what it did',
        params: ItemParams,
        replies: { 200: { description: 'The run.', schema: SyncRunSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toSyncRunReply(await getSync(db, params.tenant_id, params.id)),
  );

  app.post(
    '/v1/tenants/:tenant_id/syncs/:id/cancel',
    {
      schema: operation({
        id: 'cancelSync',
        tag: 'Syncs',
        summary: 'Stop a run that has not ended',
        description: 'Nothing that it has not written by now is written any more.',
        params: ItemParams,
        replies: { 200: { description: 'The run, canceled.', schema: SyncRunSchema } },
        errors: ['not_found', 'run_ended'],
      }),
    },
    async ({ params }) => toSyncRunReply(await cancelSync(db, params.tenant_id, params.id)),
  );

  app.get(
    '/v1/tenants/:tenant_id/syncs/:id/events',
    {
      schema: operation({
        id: 'listSyncEvents',
        tag: 'Syncs',
        summary: 'Follow a run until it has ended',
        description:
          'Server-sent events: `progress` with the whole run each time it moves, `end` with its result, then the stream ends. `Last-Event-ID` leaves out what was seen already.',
        params: ItemParams,
        replies: {
          200: { description: 'The events; `data` is the run.', schema: SyncRunSchema, type: EVENT_STREAM },
          204: { description: 'The run has ended, and `Last-Event-ID` was its last event.' },
        },
        errors: ['not_found', 'streams_exhausted'],
      }),
    },
    async (request, reply) => {
      const { tenant_id: tenantId, id } = request.params;
      const [first, seen] = [await getRunEvent(db, tenantId, id), lastEventIdOf(request)];
      if (first.isLast && first.id === seen) return reply.code(204).send();
      return streams.send(reply, (wait) => toStreamEvents(followRun(db, tenantId, first, seen, wait)));
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/syncs/:id/plan',
    {
      schema: operation({
        id: 'getSyncPlan',
        tag: 'Syncs',
        summary: 'What was done or would be, item by item, each with its reason',
        description:
          'Of a run that was applied, what it did; of a preview or a run in review, what it would do. First the changes, then what is left to a person, what was not taken, and the companies that stay as they are. Of a run that was applied, the first hundred of each kind that is no change are kept; its counts tell how many there were.',
        params: ItemParams,
        querystring: Body(pageQuery),
        headers: listHeaders,
        replies: toListReplies('A page.', PlanPageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/syncs/${params.id}/plan`;
      const page = await listPlan(db, params.tenant_id, params.id, pager.toPageRequest(path, query));
      return sendList(request, reply, {
        data: page.items.map(toPlanItemReply),
        next_page: pager.toNextPage(path, query, page),
      });
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/syncs/:id/confirm',
    {
      schema: operation({
        id: 'confirmSync',
        tag: 'Syncs',
        summary: 'Carry out the plan that waits for a decision',
        description:
          'Exactly the plan that `GET …/plan` shows, or 409 if anything moved since. Of a run with the reason `list_shrunk` it accepts the list, which an operator may do; the answer then is a new run that reads it again.',
        params: ItemParams,
        replies: { 200: { description: 'The run: carried out, or queued anew.', schema: SyncRunSchema } },
        errors: ['not_found', 'not_in_review', 'plan_stale'],
      }),
    },
    async (request) => {
      const { tenant_id, id } = request.params;
      return toSyncRunReply(await confirmRun(db, ports, tenant_id, id, principalOf(request)));
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/syncs/:id/dismiss',
    {
      schema: operation({
        id: 'dismissSync',
        tag: 'Syncs',
        summary: 'Drop the plan that waits for a decision',
        description:
          'Nothing is changed, and nothing like it is proposed before the state lists something else or the set-up changes.',
        params: ItemParams,
        replies: { 200: { description: 'The run, canceled.', schema: SyncRunSchema } },
        errors: ['not_found', 'not_in_review'],
      }),
    },
    async (request) => {
      const { params } = request;
      return toSyncRunReply(await dismissRun(db, params.tenant_id, params.id, principalOf(request)));
    },
  );
}

async function* toStreamEvents(events: AsyncIterable<RunEvent | undefined>): AsyncGenerator<StreamEvent | undefined> {
  for await (const event of events) {
    yield event === undefined
      ? undefined
      : { id: event.id, event: event.isLast ? 'end' : 'progress', data: toSyncRunReply(event.run) };
  }
}

const toPlanItemReply = (line: PlanLine) => ({
  action: line.action,
  kind: line.kind,
  reason: line.reason,
  company_id: line.companyId,
  license_id: line.licenseId,
  license_number: line.licenseNumber,
  before: line.before,
  after: line.after,
});

/** A run as every operation shows it. */
export function toSyncRunReply(run: SyncRunRow) {
  return {
    id: run.id,
    status: run.status,
    reason: run.reason,
    reason_detail: run.reasonDetail,
    trigger: run.trigger,
    mode: run.mode,
    refresh: run.refresh,
    strategy: run.strategy,
    counts: run.counts,
    rows: run.rows,
    warnings: run.warnings.map(({ code, licenseNumber }) => {
      return { code, license_number: licenseNumber, detail: WARNING_DETAILS[code] };
    }),
    skips: run.skips.map(({ reason, licenseNumber, ubi, name }) => ({
      reason,
      license_number: licenseNumber,
      ubi,
      name,
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
    requested_datetime: run.requestedAt.toISOString(),
    started_datetime: run.startedAt?.toISOString() ?? null,
    finished_datetime: run.finishedAt?.toISOString() ?? null,
    retry_datetime: run.retryAt?.toISOString() ?? null,
  };
}
