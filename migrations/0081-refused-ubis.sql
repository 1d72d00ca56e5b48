-- UBIs for which BioTrack rejected the current password. The login is not retried automatically for these UBIs.
alter table credentials add column refused_ubi_keys text[] not null default '{}';
