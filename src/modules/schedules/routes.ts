import type { Db } from '../../db/database.js';
import { operation } from '../../http/operation.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Schedule } from './repository.js';
import { ScheduleSchema } from './schema.js';
import { getSchedule, resumeSchedule, toResumeMessage } from './service.js';

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
        summary: 'Get the sync schedule',
        params: TenantParams,
        replies: { 200: { description: 'The schedule.', schema: ScheduleSchema } },
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
        summary: 'Resume a paused schedule',
        description:
          'Makes the next sync due now. Has no effect if the schedule is not paused. Returns 404 if no license of the tenant creates companies.',
        params: TenantParams,
        replies: { 200: { description: 'The schedule.', schema: ScheduleSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toScheduleReply(await resumeSchedule(db, params.tenant_id), syncIntervalSeconds),
  );
}

export function toScheduleReply(schedule: Schedule | undefined, intervalSeconds: number) {
  return {
    status:
      schedule === undefined
        ? ('not_started' as const)
        : schedule.pausedAt === null
          ? ('running' as const)
          : ('paused' as const),
    interval_seconds: intervalSeconds,
    next_datetime: schedule?.nextAt?.toISOString() ?? null,
    last_synced_datetime: schedule?.syncedAt?.toISOString() ?? null,
    failures: schedule?.failures ?? 0,
    paused_datetime: schedule?.pausedAt?.toISOString() ?? null,
    reason: schedule?.pausedReason ?? null,
    resume_message: schedule === undefined ? null : toResumeMessage(schedule),
  };
}
