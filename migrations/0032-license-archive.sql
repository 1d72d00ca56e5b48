-- Archived licenses keep their settings and can be restored.
alter table licenses add column archived_datetime timestamptz;
