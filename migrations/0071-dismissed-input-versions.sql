-- A dismissed plan is not proposed again while its inputs are the same. The tenant's revision is not one of them, so
-- that edits do not bring a dismissed plan back.
alter table sync_states add column dismissed_input_versions jsonb;
create trigger move_inputs_revision after update of dismissed_input_versions on sync_states
  for each statement execute function move_inputs_revision();
