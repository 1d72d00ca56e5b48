-- The login that a run used, and why it was chosen. No foreign key: runs outlive deleted credentials.
alter table sync_runs
  add column credential_id uuid,
  add column credential_owner text check (credential_owner in ('company', 'user')),
  add column credential_reason text,
  add check ((credential_id is null) = (credential_owner is null) and (credential_id is null) = (credential_reason is null));
