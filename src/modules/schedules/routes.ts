import type { Db } from '../../db/database.js';
import { operation } from '../../http/operation.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Schedule as ScheduleRow } from './repository.js';
import { ScheduleSchema } from './schema.js';
import { getSchedule, resumeSchedule, toResumeDetail } from './service.js';

export interface SchedulesDeps {
  readonly db: Db;
  readonly syncIntervalSeconds: number;
}

export function registerSchedulesRoutes(app: App, { db, syncIntervalSeconds }: SchedulesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/schedule',
    {
      schema: operation({
        id: 'getSchedule',
        tag: 'Syncs',
        summary: 'When the next sync is due, or why none is',
        params: TenantParams,
        replies: { 200: { description: 'As it is at this moment.', schema: ScheduleSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toScheduleReply(await getSchedule(db, params.tenant_id), syncIntervalSeconds),
  );

  app.post(
    '/v1/tenants/:tenant_id/schedule/resume',
    {
      schema: operation({
        id: 'resumeSchedule',
        tag: 'Syncs',
        summary: 'Let a paused schedule try again now',
        description: 'One that is not paused stays as it is.',
        params: TenantParams,
        replies: { 200: { description: 'The schedule.', schema: ScheduleSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toScheduleReply(await resumeSchedule(db, params.tenant_id), syncIntervalSeconds),
  );
}

function toScheduleReply(schedule: ScheduleRow | undefined, intervalSeconds: number) {
  return {
    status:
      schedule === undefined
        ? ('not_started' as const)
        : schedule.pausedAt === null
          ? ('running' as const)
          : ('paused' as const),
    interval_seconds: intervalSeconds,
    next_datetime: schedule?.nextAt?.toISOString() ?? null,
    failures: schedule?.failures ?? 0,
    paused_datetime: schedule?.pausedAt?.toISOString() ?? null,
    reason: schedule?.pausedReason ?? null,
    resume_detail: schedule === undefined ? null : toResumeDetail(schedule),
  };
}
