-- A list that removes too many licenses is rejected. Its digest is stored, so that an operator can accept exactly that list.
alter table directories
  add column refused_digest text,
  add column refused_datetime timestamptz,
  -- What the rejected list would remove: as text for users, and the keys of the licenses.
  add column refused_removals text,
  add column refused_keys text[] not null default '{}',
  add column accepted_digest text,
  -- The versions that removed licenses with an operator's consent. No tenant has to confirm that they are gone.
  add column accepted_versions bigint[] not null default '{}';

-- For incremental plans: the licenses that changed since the version that a tenant last planned.
create index directory_licenses_changed on directory_licenses (directory_id, changed_version);

-- Previous owners of a license. directory_licenses has the current one.
create table directory_license_owners (
  directory_id integer not null references directories,
  license_key text not null,
  -- The directory version in which the owner changed.
  until_version bigint not null,
  ubi text,
  ubi_key text,
  until_datetime timestamptz not null default now(),
  primary key (directory_id, license_key, until_version)
);
grant select on directory_license_owners to biotrack_app;
grant select, insert on directory_license_owners to biotrack_operator;
