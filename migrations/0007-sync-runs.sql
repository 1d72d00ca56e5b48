create table sync_runs (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  status text not null
    check (status in ('queued', 'running', 'succeeded', 'succeeded_with_warnings', 'needs_review', 'failed', 'canceled', 'superseded')),
  reason text,
  -- What that means and what to do, for a person.
  reason_detail text,
  trigger text not null check (trigger in ('request', 'setup_completed', 'schedule', 'superseded')),
  mode text not null check (mode in ('full', 'preview')),
  refresh text not null check (refresh in ('auto', 'force')),
  strategy text not null check (strategy in ('one_per_license', 'one_per_vendor')),
  counts jsonb,
  row_counts jsonb,
  warnings jsonb not null default '[]',
  -- Rows of the list that were not taken and why; some of them, the counts tell how many.
  skips jsonb not null default '[]',
  step text not null check (step in ('queued', 'fetching', 'planning', 'applying', 'done')),
  directory_version bigint,
  requested_by text not null,
  attempt integer not null default 0,
  -- Counts take-overs. Whoever commits a result must still hold the fence that he was given.
  fence integer not null default 0,
  -- Until when the worker's silence is believed to be work; by Postgres' clock.
  leased_until_datetime timestamptz,
  requested_datetime timestamptz not null default now(),
  started_datetime timestamptz,
  finished_datetime timestamptz,
  retry_datetime timestamptz,
  primary key (tenant_id, id)
);
-- One active writing run per tenant; previews block nothing.
create unique index sync_runs_active on sync_runs (tenant_id) where mode = 'full' and status in ('queued', 'running');
-- For the sweeper, which looks across tenants for runs that nobody works on.
create index sync_runs_lease on sync_runs (leased_until_datetime) where status in ('queued', 'running');
call isolate_tenants('sync_runs');
create policy operator_reads on sync_runs for select to biotrack_operator using (true);
grant select on sync_runs to biotrack_operator;

-- What the companies were last made from. While all of it is still so, a sync has nothing to do.
create table sync_states (
  tenant_id uuid primary key references tenants on delete cascade,
  directory_version bigint not null,
  preference_version integer not null,
  ubi_key text not null,
  mapping_version integer not null,
  -- The tenant's revision after that sync: every edit since has raised it.
  revision bigint not null,
  counts jsonb not null,
  row_counts jsonb not null,
  warnings jsonb not null,
  -- When everything was last compared, row by row; done at least daily all the same.
  compared_datetime timestamptz not null
);
call isolate_tenants('sync_states');

-- A job is put into the queue in the same transaction as the row it is about. The tenant's role may not touch the
-- queue's tables, so this function does it with its owner's rights, and can do nothing else.
create function enqueue_sync_run(of_tenant uuid, run uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
begin
  perform graphile_worker.add_job(
    'run_sync',
    json_build_object('tenant_id', of_tenant, 'run_id', run),
    max_attempts => 3,
    job_key => 'run_sync:' || run,
    -- Putting a waiting run back must not send it behind those that came later.
    job_key_mode => 'preserve_run_at');
end
$$;
revoke execute on function enqueue_sync_run from public;
grant execute on function enqueue_sync_run to biotrack_app;
