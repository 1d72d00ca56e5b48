-- A state's vendor list, mirrored once for all tenants of that state: reference tables, no tenant in them.
create table directories (
  directory_id integer generated always as identity primary key,
  state text not null,
  environment text not null check (environment in ('production', 'training')),
  -- Moves when a refresh changed a row; 0 until the first list was published.
  version bigint not null default 0,
  -- Rows of the last list: fetched = taken + duplicate + skipped.
  fetched_rows integer not null default 0,
  duplicate_rows integer not null default 0,
  skipped_rows integer not null default 0,
  -- The rows not taken and why, at most some hundreds.
  skips jsonb not null default '[]',
  -- The mapping's version and the sum of all transaction numbers of the last list; the state's own check tells the sum.
  checksum text,
  -- When the state was last asked and its answer believed; the same for all rows, so that an unchanged list writes none.
  refreshed_datetime timestamptz,
  -- When the whole list that is published was asked for, whatever the cheap check said since.
  fully_read_datetime timestamptz,
  -- Labs come by a list of their own, asked only for a tenant that wants them.
  labs_refreshed_datetime timestamptz,
  unique (state, environment)
);

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
  -- Of the fields above: what was mapped, not what was sent.
  content_hash text not null,
  -- When a full list first came without it; null while it is listed.
  missing_since_datetime timestamptz,
  changed_version bigint not null,
  primary key (directory_id, license_key)
);
create index directory_licenses_ubi on directory_licenses (directory_id, ubi_key);

-- A tenant reads, and holds a version while it plans (FOR SHARE needs the right to update something).
grant select on directories, directory_licenses to biotrack_app;
grant update (version) on directories to biotrack_app;
grant select, insert, update on directories, directory_licenses to biotrack_operator;

create function age_seconds(of timestamptz) returns double precision
  language sql stable
  as $$ select extract(epoch from now() - of)::double precision $$;
