-- When a tenant's next automatic sync is due. Created once the tenant has a license that creates companies.
create table schedules (
  tenant_id uuid primary key references tenants on delete cascade,
  -- Null while paused until a user fixes the cause.
  next_datetime timestamptz,
  -- Failed runs since the last success, whether scheduled or not.
  failures integer not null default 0,
  paused_datetime timestamptz,
  paused_reason text,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  check ((paused_datetime is null) = (paused_reason is null))
);
create index schedules_next on schedules (next_datetime) where next_datetime is not null;
call isolate_tenants('schedules');
-- The scheduler finds due tenants across all tenants.
create policy operator_reads on schedules for select to biotrack_operator using ((select is_operator()));
grant select on schedules to biotrack_operator;

-- For the sweeper: runs whose retry is due.
create index sync_runs_retry on sync_runs (retry_datetime) where status = 'queued' and retry_datetime is not null;
