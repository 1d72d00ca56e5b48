-- A UBI that becomes blank is missing data, not a change of owner. The last known UBI is kept, so that a later different UBI is
-- recognized as a change of owner.
alter table directory_licenses
  add column known_ubi text,
  add column known_ubi_key text;
