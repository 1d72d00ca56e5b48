-- The operator may count credentials by status, but not read their other columns.
create policy operator_reads on credentials for select to biotrack_operator using ((select is_operator()));
grant select (status) on credentials to biotrack_operator;

-- The operator may read which migrations are applied.
grant select on kysely_migration to biotrack_operator;
