-- What was answered to a POST with an Idempotency-Key, so that a repetition gets the same answer and has no effect.
create table idempotency_keys (
  -- All zeros for what an operator does beside the tenants; so no reference to a tenant, whose deletion deletes by itself.
  tenant_id uuid not null,
  -- Who asked: one principal's keys mean nothing for another one.
  actor text not null,
  key text not null,
  -- Of method, URL and body, keyed: a body may hold a password, which must not be found by trying.
  request_mac bytea not null,
  -- The attempt that may have an effect; whoever takes the key over writes his own, and the one before can no longer commit.
  attempt_id uuid not null,
  -- Until then the attempt is taken to be alive.
  leased_until_datetime timestamptz not null,
  -- Set by the transactions of the attempt themselves: whether one of them was committed.
  has_effect boolean not null default false,
  -- The answer, sealed, since it may hold a secret; null as long as there is none.
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
