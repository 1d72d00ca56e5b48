-- A list that takes away too much is not published: its digest is kept, and an operator may accept that very list.
alter table directories
  add column refused_digest text,
  add column refused_datetime timestamptz,
  add column refused_removed integer,
  add column accepted_digest text;

-- What changed since a version is what a tenant plans that was at that version.
create index directory_licenses_changed on directory_licenses (directory_id, changed_version);

-- Who held a license before, and until when; the directory itself tells who holds it now.
create table directory_license_owners (
  directory_id integer not null references directories,
  license_key text not null,
  -- The version of the directory that came with another owner.
  until_version bigint not null,
  ubi text,
  ubi_key text,
  until_datetime timestamptz not null default now(),
  primary key (directory_id, license_key, until_version)
);
grant select on directory_license_owners to biotrack_app;
grant select, insert on directory_license_owners to biotrack_operator;
