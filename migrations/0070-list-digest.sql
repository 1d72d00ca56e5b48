-- The rejected list that put a run into review. Confirming the run accepts exactly this list, even if others were rejected since.
alter table sync_runs add column list_digest text;
