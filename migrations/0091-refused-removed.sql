-- Never read. The log reports how many licenses a rejected list would have removed.
alter table directories drop column refused_removed;
