-- The tenant's own licenses, created in step 3 of the setup. Not to be confused with company_licenses.
create table licenses (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  license_key text not null,
  license_number text not null,
  name text,
  license_type text,
  issue_datetime timestamptz,
  expiry_datetime timestamptz,
  active boolean not null,
  credential_id uuid,
  default_intake_location_id text,
  sync_enabled boolean not null,
  create_companies boolean not null,
  sync_rooms boolean not null,
  notify_on_change boolean not null,
  share_with_leaflink boolean not null,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, license_key),
  foreign key (tenant_id, credential_id) references credentials deferrable initially deferred
);
call isolate_tenants('licenses');
