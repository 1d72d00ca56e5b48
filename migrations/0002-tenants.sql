create table tenants (
  tenant_id uuid primary key,
  name text not null,
  state text not null,
  environment text not null check (environment in ('production', 'training')),
  -- Counts what a list of this tenant could show differently; the ETag of lists.
  revision bigint not null default 0,
  -- The last number given in this tenant's change feed; numbers have no gap because this row is locked to take one.
  last_change_seq bigint not null default 0,
  -- When companies were first written; state, environment and strategy are no longer free from then on.
  first_synced_datetime timestamptz,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now()
);
call isolate_tenants('tenants');
-- The operator reads all tenants; he changes one only as that tenant.
create policy operator_reads on tenants for select to biotrack_operator using (true);
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
  -- SHA-256 of the secret, which is 256 random bits: nothing to guess, so nothing to slow down.
  secret_hash bytea not null unique,
  inserted_datetime timestamptz not null default now(),
  check ((role = 'operator') = (tenant_id is null))
);
grant select, insert, delete on api_keys to biotrack_operator;
