-- For deleting runs and previews that have expired.
create index sync_runs_ended on sync_runs (finished_datetime) where finished_datetime is not null;
create index sync_runs_unapplied_previews on sync_runs (tenant_id, id) where mode = 'preview' and applied_datetime is null;
