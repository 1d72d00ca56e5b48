-- The UBIs with which BioTrack refused this very password: with one of them again it is not tried by machine.
alter table credentials add column refused_ubi_keys text[] not null default '{}';
