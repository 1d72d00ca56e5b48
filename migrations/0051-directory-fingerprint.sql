-- Of the published list, whatever its order: equal, and no row of it need be compared with what is published.
alter table directories
  add column fingerprint text,
  -- When the content of a list was last compared row by row; the fingerprint is believed for a day.
  add column compared_datetime timestamptz;
