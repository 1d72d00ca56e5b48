-- A dismissed plan is not proposed again as long as what it was made from is the same: with another choice, UBI or mapping
-- it would be another plan. Edits make none: what a person dismissed does not come back with every name that is changed.
alter table sync_states
  drop column dismissed_directory_version,
  add column dismissed_basis jsonb;
