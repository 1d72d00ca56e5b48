-- For deleting runs and previews that have expired.
create index sync_runs_ended on sync_runs (finished_datetime) where finished_datetime is not null;
create index sync_runs_unapplied_previews on sync_runs (tenant_id, id) where mode = 'preview' and applied_datetime is null;

-- Changes and the audit are append-only for 30 days, the shortest retention; then the service may delete them.
grant delete on changes to biotrack_app;
create policy only_old on changes as restrictive for delete to biotrack_app
  using (inserted_datetime < now() - interval '30 days');
grant select, delete on audit to biotrack_operator;
create policy operator_reads on audit for select to biotrack_operator using ((select is_operator()));
create policy operator_deletes_old on audit for delete to biotrack_operator
  using ((select is_operator()) and inserted_datetime < now() - interval '30 days');
grant delete on operator_audit to biotrack_operator;
alter table operator_audit enable row level security;
create policy operator_writes on operator_audit to biotrack_operator
  using ((select is_operator())) with check ((select is_operator()));
create policy only_old on operator_audit as restrictive for delete to biotrack_operator
  using (inserted_datetime < now() - interval '30 days');
create index audit_inserted on audit (inserted_datetime);
create index operator_audit_inserted on operator_audit (inserted_datetime);

-- When a user is erased, entries keep a pseudonym in place of the id.
grant update (actor) on changes to biotrack_app;
grant update (actor, object) on audit to biotrack_app;
