-- Keys of tenants that ask for nothing any more are forgotten as well: the sweeper looks across tenants for old ones, and
-- deletes them in each tenant's own transaction.
create index idempotency_keys_old on idempotency_keys (inserted_datetime);
create policy operator_finds_old on idempotency_keys for select to biotrack_operator
  using (inserted_datetime < now() - interval '1 day');
