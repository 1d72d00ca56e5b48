-- The schedule checks a state once for all its tenants. Tenants that have nothing to sync are marked in one statement, by the
-- operator.
alter table schedules
  -- When the tenant was last known to be up to date: the end of a run, or a later check of the state that found nothing new.
  add column synced_datetime timestamptz;
grant update (next_datetime, synced_datetime) on schedules to biotrack_operator;
create policy operator_marks on schedules for update to biotrack_operator
  using ((select is_operator())) with check ((select is_operator()));

-- What the operator must know about each tenant for that; no names and no secrets.
grant select (tenant_id, id, owner, status, checked_datetime, last_used_datetime) on credentials to biotrack_operator;
grant select (tenant_id, create_companies, sync_enabled, archived_datetime) on licenses to biotrack_operator;
create policy operator_reads on licenses for select to biotrack_operator using ((select is_operator()));
grant select (tenant_id, input_versions, compared_datetime) on sync_states to biotrack_operator;
create policy operator_reads on sync_states for select to biotrack_operator using ((select is_operator()));
