-- Which login a run worked with, and why that one. No foreign key: a credential may go, what a run did stays.
alter table sync_runs
  add column credential_id uuid,
  add column credential_owner text check (credential_owner in ('company', 'user')),
  add column credential_reason text,
  add check ((credential_id is null) = (credential_owner is null) and (credential_id is null) = (credential_reason is null));
