-- Taken away by a person, and kept: it can be brought back with all that was set.
alter table licenses add column archived_datetime timestamptz;
