-- Shares workers fairly between tenants: the more earlier runs of its tenant are waiting, the lower a run's priority.
-- Without the argument, as in calls by processes of the previous version, a run gets the highest priority.
drop function enqueue_sync_run(uuid, uuid);
create function enqueue_sync_run(of_tenant uuid, run uuid, waiting_before integer default 0) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
begin
  perform graphile_worker.add_job(
    'run_sync',
    json_build_object('tenant_id', of_tenant, 'run_id', run),
    max_attempts => 3,
    job_key => 'run_sync:' || run,
    -- Requeuing a waiting run must not move it behind later runs.
    job_key_mode => 'preserve_run_at',
    priority => least(waiting_before, 1000));
end
$$;
revoke execute on function enqueue_sync_run from public;
grant execute on function enqueue_sync_run to biotrack_app;

-- For counting a tenant's waiting previews.
create index sync_runs_waiting_previews on sync_runs (tenant_id, id)
  where mode = 'preview' and status in ('queued', 'running');
