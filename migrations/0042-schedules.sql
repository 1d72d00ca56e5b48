-- When a tenant is synced by itself. The row is there from the first sync on that had a license to create companies for.
create table schedules (
  tenant_id uuid primary key references tenants on delete cascade,
  -- Null: by itself not at all, before a person has mended what is in the way.
  next_datetime timestamptz,
  -- Scheduled or not: runs that failed since the last one that succeeded.
  failures integer not null default 0,
  paused_datetime timestamptz,
  paused_reason text,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  check ((paused_datetime is null) = (paused_reason is null))
);
create index schedules_next on schedules (next_datetime) where next_datetime is not null;
call isolate_tenants('schedules');
-- Whoever ticks looks across tenants for those whose time has come.
create policy operator_reads on schedules for select to biotrack_operator using (true);
grant select on schedules to biotrack_operator;

-- For the sweeper: runs that were put off and whose time has come.
create index sync_runs_retry on sync_runs (retry_datetime) where status = 'queued' and retry_datetime is not null;
