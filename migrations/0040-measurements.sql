-- The operator counts logins by status, and sees nothing else of them.
create policy operator_reads on credentials for select to biotrack_operator using (true);
grant select (status) on credentials to biotrack_operator;

-- And which migrations are applied.
grant select on kysely_migration to biotrack_operator;
