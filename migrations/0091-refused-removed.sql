-- Written and never read: the log says how many licenses a refused list took away.
alter table directories drop column refused_removed;
