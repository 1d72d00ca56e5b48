-- A dismissed plan is not proposed again while its inputs are the same. The tenant's revision is not one of them, so
-- that edits do not bring a dismissed plan back.
alter table sync_states
  drop column dismissed_directory_version,
  add column dismissed_input_versions jsonb;
