create table sync_runs (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  status text not null
    check (status in ('queued', 'running', 'succeeded', 'succeeded_with_warnings', 'needs_review', 'failed', 'canceled', 'superseded')),
  reason text,
  -- An explanation for users: what the reason means and what to do.
  reason_detail text,
  -- BioTrack's own text, without what was sent. For operators only.
  operator_detail text,
  -- Whether only the operator of this service can fix the failure.
  needs_operator boolean not null default false,
  trigger text not null check (trigger in ('request', 'setup_completed', 'schedule', 'superseded')),
  mode text not null check (mode in ('full', 'preview')),
  refresh text not null check (refresh in ('auto', 'force')),
  strategy text not null check (strategy in ('one_per_license', 'one_per_vendor')),
  counts jsonb,
  row_counts jsonb,
  warnings jsonb not null default '[]',
  -- Skipped rows of the list with reasons. Limited; row_counts has the total.
  skips jsonb not null default '[]',
  step text not null check (step in ('queued', 'fetching', 'planning', 'applying', 'done')),
  directory_version bigint,
  requested_by text not null,
  attempt integer not null default 0,
  -- Fencing token: increased with each claim. Only the worker with the current value can save a result.
  fence integer not null default 0,
  -- When the worker's lease expires unless renewed, by the clock of Postgres.
  leased_until_datetime timestamptz,
  requested_datetime timestamptz not null default now(),
  started_datetime timestamptz,
  finished_datetime timestamptz,
  retry_datetime timestamptz,
  primary key (tenant_id, id)
);
-- One active writing run per tenant; previews block nothing.
create unique index sync_runs_active on sync_runs (tenant_id) where mode = 'full' and status in ('queued', 'running');
-- For the sweeper, which finds runs of all tenants whose lease has expired.
create index sync_runs_lease on sync_runs (leased_until_datetime) where status in ('queued', 'running');
-- The runs with some status, the newest first.
create index sync_runs_status on sync_runs (tenant_id, status, id);
call isolate_tenants('sync_runs');
create policy operator_reads on sync_runs for select to biotrack_operator using ((select is_operator()));
grant select on sync_runs to biotrack_operator;

-- The inputs and the result of a tenant's last sync. A sync with the same inputs changes nothing.
create table sync_states (
  tenant_id uuid primary key references tenants on delete cascade,
  -- The versions of the sync's inputs, with the revision of the tenant's inputs after it.
  input_versions jsonb not null,
  counts jsonb not null,
  row_counts jsonb not null,
  -- Numbers of companies and licenses, which a sync of a part of the tenant would otherwise have to count.
  object_totals jsonb not null,
  warnings jsonb not null,
  -- When the whole tenant was last planned, which happens at least daily.
  compared_datetime timestamptz not null
);
call isolate_tenants('sync_states');

-- Adds the job in the same transaction as the run. The tenant's role has no access to the queue's tables, so this
-- function runs with its owner's rights.
create function enqueue_sync_run(of_tenant uuid, run uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
begin
  perform graphile_worker.add_job(
    'run_sync',
    json_build_object('tenant_id', of_tenant, 'run_id', run),
    max_attempts => 3,
    job_key => 'run_sync:' || run,
    -- Requeuing a waiting run must not move it behind later runs.
    job_key_mode => 'preserve_run_at');
end
$$;
revoke execute on function enqueue_sync_run from public;
grant execute on function enqueue_sync_run to biotrack_app;
