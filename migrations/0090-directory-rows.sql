-- fetched_rows now counts the rows received. It used to be the sum of the processed rows, which omitted labs kept from an
-- earlier list.
update directories
   set fetched_rows = duplicate_rows + skipped_rows + (
         select count(*) from directory_licenses listed
          where listed.directory_id = directories.directory_id and listed.missing_since_datetime is null)
 where version > 0;
