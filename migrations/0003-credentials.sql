create table credentials (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  owner text not null check (owner in ('company', 'user')),
  owner_user_id text,
  description text not null,
  -- As entered, and as BioTrack receives it.
  username text not null,
  -- Trimmed and in lower case, to recognize duplicates.
  username_key text not null,
  -- Sent with the login in states of the dialect `rest`.
  license_number text,
  -- Sealed by the vault; bound to the tenant, owner, row, secret_version and BioTrack server.
  sealed_password bytea not null,
  -- Incremented with each new password. A password that BioTrack rejected is not retried automatically; a new one is.
  secret_version integer not null default 1,
  status text not null check (status in ('unverified', 'valid', 'rejected', 'refused', 'ubi_rejected', 'privilege_missing')),
  missing_privilege text,
  -- Of a refused login: which unknown text of BioTrack refused it, and the status to restore if that was a problem of the state.
  refused_text text,
  status_before_refusal text,
  checked_datetime timestamptz,
  last_used_datetime timestamptz,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, id),
  check ((owner = 'user') = (owner_user_id is not null))
);
create unique index credentials_description on credentials (tenant_id, owner, coalesce(owner_user_id, ''), description);
create unique index credentials_username on credentials (tenant_id, owner, coalesce(owner_user_id, ''), username_key);
call isolate_tenants('credentials');
