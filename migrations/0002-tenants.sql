create table tenants (
  tenant_id uuid primary key,
  name text not null,
  state text not null,
  environment text not null check (environment in ('production', 'training')),
  -- Incremented by every change that a list of this tenant can show; part of the ETag of lists.
  revision bigint not null default 0,
  -- The last sequence number of the tenant's change feed. This row is locked to allocate numbers, so there are no gaps.
  last_change_seq bigint not null default 0,
  -- Readers of the change feed can continue after this number or a later one. It rises with the first sync, whose new companies
  -- have no entries, and when old entries are deleted.
  feed_start_seq bigint not null default 0,
  -- Changed after a backup was restored, so that readers of lost entries notice.
  feed_epoch uuid not null default gen_random_uuid(),
  -- Since when no entry was deleted; null if none ever was.
  feed_complete_from timestamptz,
  -- When companies were first written. From then on state and environment are fixed, and a strategy switch needs a preview.
  first_synced_datetime timestamptz,
  first_synced_run_id uuid,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now()
);
call isolate_tenants('tenants');
-- The operator reads all tenants, but changes a tenant only in a transaction of that tenant.
create policy operator_reads on tenants for select to biotrack_operator using ((select is_operator()));
grant select on tenants to biotrack_operator;

create table ubis (
  tenant_id uuid primary key references tenants on delete cascade,
  ubi text not null,
  ubi_key text not null,
  status text not null default 'unverified' check (status in ('unverified', 'verified', 'rejected')),
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now()
);
call isolate_tenants('ubis');

create table creation_preferences (
  tenant_id uuid primary key references tenants on delete cascade,
  strategy text not null check (strategy in ('one_per_license', 'one_per_vendor')),
  include_labs boolean not null,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now()
);
call isolate_tenants('creation_preferences');

create table api_keys (
  id uuid primary key,
  description text not null,
  role text not null check (role in ('operator', 'admin')),
  tenant_id uuid references tenants on delete cascade,
  -- SHA-256 of the secret. The secret has 256 random bits, so a slow password hash is not needed.
  secret_hash bytea not null unique,
  inserted_datetime timestamptz not null default now(),
  check ((role = 'operator') = (tenant_id is null))
);
grant select, insert, delete on api_keys to biotrack_operator;
