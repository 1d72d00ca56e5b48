-- Identifies the content of the published list, regardless of order. If a new list has the same one, no rows are compared.
alter table directories
  add column fingerprint text,
  -- When a list was last compared row by row. The fingerprint is trusted for one day after that.
  add column compared_datetime timestamptz;
