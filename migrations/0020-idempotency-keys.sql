-- Idempotency-Keys of POST requests with their responses, so that a repetition gets the same response and has no effect.
create table idempotency_keys (
  -- All zeros for operator requests that concern no tenant. Therefore no foreign key; deleting a tenant deletes its keys explicitly.
  tenant_id uuid not null,
  -- Keys are scoped to the principal that sent them.
  actor text not null,
  key text not null,
  -- A MAC of method, URL and body. Not a plain hash, because a body may contain a password that could be brute-forced.
  request_mac bytea not null,
  -- The attempt that may commit. Another attempt takes over by replacing it; the previous one can then no longer commit.
  attempt_id uuid not null,
  -- Until then the attempt counts as in progress.
  leased_until_datetime timestamptz not null,
  -- Whether a transaction of the attempt has committed; set within those transactions.
  has_effect boolean not null default false,
  -- The response; sealed, because it may contain a secret. Null until the attempt has ended.
  sealed_answer bytea,
  inserted_datetime timestamptz not null default now(),
  primary key (tenant_id, actor, key)
);
create index idempotency_keys_age on idempotency_keys (tenant_id, inserted_datetime);
call isolate_tenants('idempotency_keys');
create policy operator_keeps_own on idempotency_keys to biotrack_operator
  using (tenant_id = '00000000-0000-0000-0000-000000000000')
  with check (tenant_id = '00000000-0000-0000-0000-000000000000');
grant select, insert, update, delete on idempotency_keys to biotrack_operator;
