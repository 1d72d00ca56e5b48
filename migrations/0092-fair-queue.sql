-- A tenant's runs are taken up in turn with those of others: the more of them wait before one, the later it comes.
-- Without that argument, as processes of the version before call it, a run comes first, as it did.
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
    -- Putting a waiting run back must not send it behind those that came later.
    job_key_mode => 'preserve_run_at',
    priority => least(waiting_before, 1000));
end
$$;
revoke execute on function enqueue_sync_run from public;
grant execute on function enqueue_sync_run to biotrack_app;

-- For those who count them.
create index sync_runs_waiting_previews on sync_runs (tenant_id, id)
  where mode = 'preview' and status in ('queued', 'running');
