create table companies (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  origin text not null check (origin in ('biotrack', 'manual')),
  -- What BioTrack says, and beside it what a person says; the person wins. Null: nothing said.
  source_name text,
  edited_name text,
  -- Unique among the tenant's active companies; computed by the mapping from the names of all of them.
  display_name text not null,
  -- Companies that could ever collide by display name share this.
  name_group text not null,
  legal_business_name text,
  relationship_type text,
  leaflink_customer_id text,
  custom_data jsonb,
  ubi text,
  ubi_key text,
  is_own_company boolean not null,
  archived_datetime timestamptz,
  -- The company that holds this one's license now; only of an archived company.
  superseded_by uuid,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, id),
  -- Deferred, as the other keys between equals: deleting a tenant cascades in no order.
  foreign key (tenant_id, superseded_by) references companies deferrable initially deferred,
  check (edited_name is not null or source_name is not null),
  check (superseded_by is null or archived_datetime is not null)
);
-- Who is superseded by a company is looked up when that one goes, as it does with its tenant.
create index companies_superseded_by on companies (tenant_id, superseded_by) where superseded_by is not null;
call isolate_tenants('companies');

create table company_licenses (
  tenant_id uuid not null,
  id uuid not null,
  -- The company that holds it under the present strategy.
  company_id uuid not null,
  -- First memory: the license's own company. Written once, never rewritten.
  own_company_id uuid,
  license_key text not null,
  license_number text not null,
  ubi text,
  ubi_key text,
  name text,
  license_type text,
  license_type_raw text,
  activities text[] not null,
  address_line1 text,
  address_line2 text,
  city text,
  address_state text,
  zip text,
  is_lab boolean not null,
  -- Named by hand for a manual company: no strategy moves it.
  is_hand_named boolean not null default false,
  active boolean not null,
  missing_since_datetime timestamptz,
  transaction_id_original text,
  -- The directory's hash of what was taken over; equal hashes, nothing to do.
  content_hash text not null,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, license_key),
  unique (tenant_id, own_company_id),
  foreign key (tenant_id, company_id) references companies on delete cascade,
  foreign key (tenant_id, own_company_id) references companies deferrable initially deferred
);
create index company_licenses_company on company_licenses (tenant_id, company_id);
call isolate_tenants('company_licenses');

-- Second memory: a UBI's vendor company. Written once, never rewritten.
create table vendor_companies (
  tenant_id uuid not null,
  ubi_key text not null,
  company_id uuid not null,
  primary key (tenant_id, ubi_key),
  unique (tenant_id, company_id),
  foreign key (tenant_id, company_id) references companies on delete cascade
);
call isolate_tenants('vendor_companies');

-- What happened, in order and without a gap; never updated.
create table changes (
  tenant_id uuid not null references tenants on delete cascade,
  seq bigint not null,
  kind text not null,
  company_id uuid,
  license_id uuid,
  before jsonb,
  after jsonb,
  actor text not null,
  run_id uuid,
  inserted_datetime timestamptz not null default now(),
  primary key (tenant_id, seq)
);
call isolate_tenants('changes');
revoke update, delete on changes from biotrack_app;
