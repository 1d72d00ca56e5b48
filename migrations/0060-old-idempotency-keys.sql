-- The sweeper finds expired keys of all tenants, including tenants that send no more requests, and deletes them in a
-- transaction of each tenant.
create index idempotency_keys_old on idempotency_keys (inserted_datetime);
create policy operator_finds_old on idempotency_keys for select to biotrack_operator
  using (inserted_datetime < now() - interval '1 day');
