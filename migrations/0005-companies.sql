create table companies (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  origin text not null check (origin in ('biotrack', 'manual')),
  -- The name in BioTrack, and the name entered by a user, which takes precedence.
  source_name text,
  edited_name text,
  -- Unique among the tenant's active companies; computed by the mapping from all their names.
  display_name text not null,
  -- Shared by all companies whose display names could collide.
  name_group text not null,
  legal_business_name text,
  relationship_type text,
  custom_data jsonb,
  ubi text,
  ubi_key text,
  -- What a search finds it by besides ubi_key, normalized: one field per line, first the display name, by which companies are
  -- sorted.
  search_text text not null,
  -- The same of legal_business_name, which only users write.
  legal_search_text text,
  is_own_company boolean not null,
  archived_datetime timestamptz,
  -- The company that now holds this company's licenses. Only set for archived companies.
  superseded_by uuid,
  -- Who created it, in which run, and why. The change feed does not keep this.
  created_reason text not null,
  created_actor text not null,
  created_run_id uuid,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  -- Taken while the tenant is locked, so that readers of what changed since a time miss nothing.
  updated_datetime timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id),
  -- Deferred, like other self-references: deleting a tenant cascades in no particular order.
  foreign key (tenant_id, superseded_by) references companies deferrable initially deferred,
  check (edited_name is not null or source_name is not null),
  check (superseded_by is null or archived_datetime is not null)
) with (fillfactor = 90);
-- For the foreign key: deleting a company looks up the companies that it supersedes.
create index companies_superseded_by on companies (tenant_id, superseded_by) where superseded_by is not null;
-- Together they determine each other's display names. Names can be longer than an index entry.
create index companies_name_group on companies (tenant_id, left(name_group, 200));
call isolate_tenants('companies');

create table company_licenses (
  tenant_id uuid not null,
  id uuid not null,
  -- The company that holds it under the current strategy.
  company_id uuid not null,
  -- The license's own company under one_per_license. Written once, never changed, so that a switch back restores it.
  own_company_id uuid,
  license_key text not null,
  license_number text not null,
  ubi text,
  ubi_key text,
  -- The vendor whose company this license names: the seller, if it was sold to a vendor with other licenses.
  naming_ubi_key text,
  name text,
  license_type text,
  license_type_raw text,
  activities text[] not null,
  address_line1 text,
  address_line2 text,
  city text,
  address_state text,
  zip text,
  -- What a search finds it by besides license_key and ubi_key, normalized: one field per line. Does not depend on the company, so
  -- that a move rewrites nothing.
  search_text text not null,
  is_lab boolean not null,
  -- Assigned to a manual company, so that strategies do not move it.
  is_hand_named boolean not null default false,
  active boolean not null,
  missing_since_datetime timestamptz,
  transaction_id_original text,
  -- The directory's hash of these fields; an equal hash means that nothing changed.
  content_hash text not null,
  -- Set by users. Belongs to the license number, so it stays through a sale, a disappearance and a switch.
  leaflink_customer_id text,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, license_key),
  unique (tenant_id, own_company_id),
  foreign key (tenant_id, company_id) references companies on delete cascade,
  foreign key (tenant_id, own_company_id) references companies deferrable initially deferred
) with (fillfactor = 90);
create unique index company_licenses_leaflink_customer on company_licenses (tenant_id, leaflink_customer_id)
  where leaflink_customer_id is not null;
create index company_licenses_company on company_licenses (tenant_id, company_id);
-- A license that changes can change where the others of its vendor belong.
create index company_licenses_ubi on company_licenses (tenant_id, ubi_key);
call isolate_tenants('company_licenses');

-- The vendor company of a UBI under one_per_vendor. Written once, never changed, so that a switch back restores it.
create table vendor_companies (
  tenant_id uuid not null,
  ubi_key text not null,
  company_id uuid not null,
  primary key (tenant_id, ubi_key),
  unique (tenant_id, company_id),
  foreign key (tenant_id, company_id) references companies on delete cascade
);
call isolate_tenants('vendor_companies');

-- The tail of the change feed: ordered, without gaps, append-only. Its beginning is a snapshot of the companies and licenses.
create table changes (
  tenant_id uuid not null references tenants on delete cascade,
  seq bigint not null,
  -- A cursor has it, so that a number that was used again after a restored backup is noticed.
  id uuid not null default gen_random_uuid(),
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
