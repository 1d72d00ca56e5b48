-- What a run tells to have been fetched is what came, and no longer the sum of what became of it: laboratories that are kept
-- from an earlier list are rows too, and were not counted.
update directories
   set fetched_rows = duplicate_rows + skipped_rows + (
         select count(*) from directory_licenses listed
          where listed.directory_id = directories.directory_id and listed.missing_since_datetime is null)
 where version > 0;
