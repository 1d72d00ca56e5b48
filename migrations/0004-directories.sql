-- The vendor list of a state, mirrored once for all tenants. These tables have no tenant_id.
create table directories (
  directory_id integer generated always as identity primary key,
  state text not null,
  environment text not null check (environment in ('production', 'training')),
  -- Incremented when a refresh changes rows; 0 until the first list is published.
  version bigint not null default 0,
  -- Row counts of the last list.
  fetched_rows integer not null default 0,
  duplicate_rows integer not null default 0,
  skipped_rows integer not null default 0,
  -- Skipped rows with reasons; limited to a few hundred.
  skips jsonb not null default '[]',
  -- What runs that use the list report to users; limited to a few hundred.
  warnings jsonb not null default '[]',
  -- Digests of the rows without a readable license number. While a new list has others, no license counts as missing.
  illegible_vendors text[] not null default '{}',
  illegible_labs text[] not null default '{}',
  -- The mapping version and the sum of all transaction numbers of the last list. BioTrack's sync_check returns the sum.
  checksum text,
  -- When the list was last confirmed to be current. Kept here instead of in each row, so that an unchanged list writes no rows.
  refreshed_datetime timestamptz,
  -- When the published list was last downloaded in full, as opposed to confirmed by sync_check.
  fully_read_datetime timestamptz,
  -- Labs have a separate list, fetched only if a tenant includes labs.
  labs_refreshed_datetime timestamptz,
  -- Numbers from directory_requests: when the published list was requested, and when the list was that was last compared
  -- row by row. Unlike a clock, they never go back.
  request_number bigint not null default 0,
  compared_number bigint not null default 0,
  unique (state, environment)
);
create sequence directory_requests;

create table directory_licenses (
  directory_id integer not null references directories,
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
  is_deleted boolean not null,
  is_lab boolean not null,
  transaction_id_original text,
  -- Hash of the mapped fields above, not of the raw row.
  content_hash text not null,
  -- When a full list first omitted the license; null while it is listed.
  missing_since_datetime timestamptz,
  changed_version bigint not null,
  primary key (directory_id, license_key)
);
create index directory_licenses_ubi on directory_licenses (directory_id, ubi_key);

-- Tenants read, and lock a version while they plan (FOR SHARE requires an update privilege).
grant select on directories, directory_licenses to biotrack_app;
grant update (version) on directories to biotrack_app;
grant select, insert, update on directories, directory_licenses to biotrack_operator;
grant usage on sequence directory_requests to biotrack_operator;

create function age_seconds(of timestamptz) returns double precision
  language sql stable
  as $$ select extract(epoch from now() - of)::double precision $$;
