-- What holds at every moment, in every tenant. Each statement gives one row for each violation, with what is broken in
-- the column `label`; all of them together give no row. Run after each integration test file, as the database's owner.

-- I4: every active license is held by exactly one company of its tenant, and that company is active.
select 'I4 an active license is held by no active company' as label, license.tenant_id, license.license_key as what
  from company_licenses license
  left join companies company on company.tenant_id = license.tenant_id and company.id = license.company_id
 where license.active and (company.id is null or company.archived_datetime is not null);

-- I5: no active company of BioTrack's without an active license.
select 'I5 an active company holds no active license' as label, company.tenant_id, company.id::text as what
  from companies company
 where company.origin = 'biotrack' and company.archived_datetime is null
   and not exists (
     select from company_licenses license
      where license.tenant_id = company.tenant_id and license.company_id = company.id and license.active);

-- I10: licenses without a UBI are never grouped, neither with each other nor with those of a UBI.
select 'I10 a license without a UBI shares its company' as label, blank.tenant_id, blank.license_key as what
  from company_licenses blank
 where blank.active and blank.ubi_key is null and blank.named_by_company_id is null
   and exists (
     select from company_licenses other
      where other.tenant_id = blank.tenant_id and other.company_id = blank.company_id and other.id <> blank.id
        and other.active and other.named_by_company_id is null);

-- I11: counts add up. What a list brought (`fetched`) is counted when it comes, and what became of it by each tenant's
-- plan: for a finished run and for a directory the one is the other. A list that moves has another version.
select 'I11 the rows of a run do not add up' as label, tenant_id, id::text as what
  from sync_runs
 where row_counts is not null
   and (row_counts ->> 'fetched')::bigint <> (row_counts ->> 'used')::bigint + (row_counts ->> 'filtered')::bigint
     + (row_counts ->> 'duplicate')::bigint + (row_counts ->> 'skipped')::bigint;
select 'I11 the rows of a directory do not add up' as label, null::uuid as tenant_id,
       directory.state || '/' || directory.environment as what
  from directories directory
 where directory.version > 0
   and directory.fetched_rows <> directory.duplicate_rows + directory.skipped_rows + (
     select count(*) from directory_licenses listed
      where listed.directory_id = directory.directory_id and listed.missing_since_datetime is null);
select 'I11 a run tells of other licenses than its list has' as label, run.tenant_id, run.id::text as what
  from sync_runs run join tenants tenant using (tenant_id) join directories directory using (state, environment)
 where run.row_counts is not null and run.directory_version = directory.version
   -- Before the first sync the tenant may have been of another state.
   and run.finished_datetime >= tenant.first_synced_datetime
   and (run.row_counts ->> 'used')::bigint + (run.row_counts ->> 'filtered')::bigint
     <> directory.fetched_rows - directory.duplicate_rows - directory.skipped_rows;
-- The counts of a run are those of the lines that it wrote, or of the plan that it stored.
select 'I11 the counts of a run are not those of its changes' as label, run.tenant_id, run.id::text as what
  from sync_runs run
 cross join lateral (
   select count(*) filter (where change.kind = 'company.created') as created,
          count(*) filter (where change.kind = 'company.updated') as updated,
          count(*) filter (where change.kind = 'company.archived') as archived,
          count(*) filter (where change.kind = 'company.reactivated') as reactivated,
          count(*) filter (where change.from_company_id is not null) as moved
     from changes change
    where change.tenant_id = run.tenant_id and change.seq between run.first_change_seq and run.last_change_seq) told
 where run.first_change_seq is not null
   and (told.created, told.updated, told.archived, told.reactivated, told.moved) is distinct from (
     (run.counts ->> 'created')::bigint, (run.counts ->> 'updated')::bigint, (run.counts ->> 'archived')::bigint,
     (run.counts ->> 'reactivated')::bigint, (run.counts ->> 'moved')::bigint);
select 'I11 the counts of a run are not those of its plan' as label, run.tenant_id, run.id::text as what
  from sync_runs run
 cross join lateral (
   select count(*) filter (where item.kind = 'company.created') as created,
          count(*) filter (where item.kind = 'company.updated') as updated,
          count(*) filter (where item.kind = 'company.archived') as archived,
          count(*) filter (where item.kind = 'company.reactivated') as reactivated,
          count(*) filter (where item.action = 'adopted') as adopted,
          count(*) filter (where item.action = 'moved') as moved,
          count(*) filter (where item.action = 'conflict') as conflicts
     from sync_plan_items item where item.tenant_id = run.tenant_id and item.run_id = run.id) told
 where run.plan_digest is not null and run.first_change_seq is null and run.applied_datetime is null
   and (told.created, told.updated, told.archived, told.reactivated, told.adopted, told.moved, told.conflicts)
     is distinct from (
     (run.counts ->> 'created')::bigint, (run.counts ->> 'updated')::bigint, (run.counts ->> 'archived')::bigint,
     (run.counts ->> 'reactivated')::bigint, (run.counts ->> 'adopted')::bigint, (run.counts ->> 'moved')::bigint,
     (run.counts ->> 'conflicts')::bigint);

-- I17: companies ≤ licenses ≤ rows.
select 'I17 more companies than licenses' as label, tenant.tenant_id, tenant.name as what
  from tenants tenant
 where (select count(*) from companies company
         where company.tenant_id = tenant.tenant_id and company.origin = 'biotrack'
           and company.archived_datetime is null)
     > (select count(*) from company_licenses license where license.tenant_id = tenant.tenant_id and license.active);
select 'I17 more licenses than rows' as label, tenant.tenant_id, tenant.name as what
  from tenants tenant
 where (select count(*) from company_licenses license
         where license.tenant_id = tenant.tenant_id and license.named_by_company_id is null)
     > (select count(*) from directory_licenses listed join directories using (directory_id)
         where directories.state = tenant.state and directories.environment = tenant.environment);

-- I19: whatever refers to something refers to something that is there, in the same tenant.
select 'I19 a company is superseded by none of its tenant' as label, company.tenant_id, company.id::text as what
  from companies company
 where company.superseded_by is not null
   and not exists (
     select from companies holder
      where holder.tenant_id = company.tenant_id and holder.id = company.superseded_by);
select 'I19 a memory names no company of its tenant' as label, memory.tenant_id, memory.what
  from (select tenant_id, license_key as what, own_company_id as company_id from company_licenses
         where own_company_id is not null
        union all
        select tenant_id, ubi_key, company_id from vendor_companies) memory
 where not exists (
     select from companies company where company.tenant_id = memory.tenant_id and company.id = memory.company_id);
select 'I19 a change tells of no company or license of its tenant' as label, change.tenant_id, change.seq::text as what
  from changes change
 where (change.company_id is not null and not exists (
          select from companies company
           where company.tenant_id = change.tenant_id and company.id = change.company_id))
    or (change.license_id is not null and change.kind not like 'own\_license.%' and not exists (
          select from company_licenses license
           where license.tenant_id = change.tenant_id and license.id = change.license_id))
    or (change.kind like 'own\_license.%' and not exists (
          select from licenses license
           where license.tenant_id = change.tenant_id and license.id = change.license_id));
select 'I19 a change tells of no run of its tenant' as label, change.tenant_id, change.seq::text as what
  from changes change
 where change.run_id is not null and not exists (
     select from sync_runs run where run.tenant_id = change.tenant_id and run.id = change.run_id);
select 'I19 a license works with no credential of its tenant' as label, license.tenant_id, license.id::text as what
  from licenses license
 where license.credential_id is not null and not exists (
     select from credentials credential
      where credential.tenant_id = license.tenant_id and credential.id = license.credential_id);
select 'I19 a foreign key or a check was never validated' as label, null::uuid as tenant_id, conname::text as what
  from pg_constraint
 where connamespace = 'public'::regnamespace and not convalidated;

-- The two memories: one own company for each license, one vendor company for each UBI, and none of them twice.
select 'memory: two licenses have the same own company' as label, tenant_id, own_company_id::text as what
  from company_licenses where own_company_id is not null
 group by tenant_id, own_company_id having count(*) > 1;
select 'memory: two UBIs have the same vendor company' as label, tenant_id, company_id::text as what
  from vendor_companies
 group by tenant_id, company_id having count(*) > 1;
select 'memory: a UBI has two vendor companies' as label, tenant_id, ubi_key as what
  from vendor_companies
 group by tenant_id, ubi_key having count(*) > 1;
select 'license: one license twice' as label, tenant_id, license_key as what
  from company_licenses
 group by tenant_id, license_key having count(*) > 1;

-- Which company holds an active license, by the strategy in use; a license named by hand stays where it is.
select 'strategy: one_per_license, and a license is not in its own company' as label, tenant_id, license_key as what
  from company_licenses license join creation_preferences using (tenant_id) join tenants using (tenant_id)
 where strategy = 'one_per_license' and first_synced_datetime is not null
   and active and named_by_company_id is null and company_id is distinct from own_company_id;
select 'strategy: one_per_vendor, and a license is not in the company of its UBI' as label, license.tenant_id,
       license_key as what
  from company_licenses license join creation_preferences using (tenant_id) join tenants using (tenant_id)
  left join vendor_companies vendor on vendor.tenant_id = license.tenant_id and vendor.ubi_key = license.ubi_key
  left join conflicts conflict on conflict.tenant_id = license.tenant_id and conflict.ubi_key = license.ubi_key
 where strategy = 'one_per_vendor' and first_synced_datetime is not null
   and active and named_by_company_id is null and license.ubi_key is not null
   and license.company_id is distinct from coalesce(conflict.decided_company_id, vendor.company_id);

select 'strategy: a license named by hand is with another company, though nobody decided so' as label, license.tenant_id,
       license_key as what
  from company_licenses license join creation_preferences using (tenant_id)
  left join conflicts conflict on conflict.tenant_id = license.tenant_id and conflict.ubi_key = license.ubi_key
 where license.active and license.named_by_company_id is not null
   and license.company_id is distinct from license.named_by_company_id
   and (strategy = 'one_per_license' or license.company_id is distinct from conflict.decided_company_id
        -- Whoever decided did not know of a company that was made later.
        or license.named_by_company_id <> all (conflict.decided_company_ids));
select 'decision: a company that stands for two UBIs' as label, decided.tenant_id, decided.ubi_key as what
  from conflicts decided join vendor_companies vendor
    on vendor.tenant_id = decided.tenant_id and vendor.company_id = decided.decided_company_id
 where vendor.ubi_key <> decided.ubi_key;

-- Companies.
select 'company: two active ones have the same display name' as label, tenant_id, display_name as what
  from companies where archived_datetime is null
 group by tenant_id, display_name having count(*) > 1;
select 'company: superseded by an archived one' as label, company.tenant_id, company.id::text as what
  from companies company
  join companies holder on holder.tenant_id = company.tenant_id and holder.id = company.superseded_by
 where holder.archived_datetime is not null;
select 'company: superseded though active' as label, tenant_id, id::text as what
  from companies where superseded_by is not null and archived_datetime is null;
select 'company: its UBI is not that of all its active licenses' as label, company.tenant_id, company.id::text as what
  from companies company
 where company.archived_datetime is null and company.ubi_key is not null
   and exists (
     select from company_licenses license
      where license.tenant_id = company.tenant_id and license.company_id = company.id and license.active
        and license.ubi_key is distinct from company.ubi_key);
select 'license: active and missing at once' as label, tenant_id, license_key as what
  from company_licenses where active and missing_since_datetime is not null;

-- The change feed: 1, 2, 3 … without a gap, and the tenant's counter is at its end.
select 'changes: a gap' as label, tenant.tenant_id, feed.last::text as what
  from tenants tenant
 cross join lateral (
   select count(*) as many, coalesce(min(seq), 1) as first, coalesce(max(seq), 0) as last
     from changes change where change.tenant_id = tenant.tenant_id) feed
 where feed.first <> 1 or feed.many <> feed.last or tenant.last_change_seq <> feed.last;

-- Runs.
select 'run: two writing ones at once' as label, tenant_id, count(*)::text as what
  from sync_runs where mode = 'full' and status in ('queued', 'running')
 group by tenant_id having count(*) > 1;
select 'run: ended and not finished, or finished and not ended' as label, tenant_id, id::text as what
  from sync_runs
 where (status in ('queued', 'running')) <> (finished_datetime is null);
select 'run: failed without a reason, or succeeded with one' as label, tenant_id, id::text as what
  from sync_runs
 where (status = 'failed' and reason is null)
    or (status in ('succeeded', 'succeeded_with_warnings') and reason is not null);
select 'run: succeeded without counts, or failed and with some' as label, tenant_id, id::text as what
  from sync_runs
 where (status in ('succeeded', 'succeeded_with_warnings')
        and (counts is null or row_counts is null or directory_version is null))
    or (status = 'failed' and counts is not null);
select 'run: the lines of the feed that came of it tell of another run' as label, run.tenant_id, run.id::text as what
  from sync_runs run
 where run.first_change_seq is not null and exists (
     select from changes change
      where change.tenant_id = run.tenant_id and change.seq between run.first_change_seq and run.last_change_seq
        and change.run_id is distinct from run.id);

-- Tenants are apart: row security is forced on every table with a tenant, and its keys begin with the tenant.
select 'isolation: a table with a tenant and without forced row security' as label, null::uuid as tenant_id,
       class.relname::text as what
  from pg_class class
  join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attname = 'tenant_id'
 where class.relnamespace = 'public'::regnamespace and class.relkind = 'r' and class.relname <> 'api_keys'
   and not (class.relrowsecurity and class.relforcerowsecurity);
select 'isolation: a table with a tenant whose app policy does not ask for it' as label, null::uuid as tenant_id,
       class.relname::text as what
  from pg_class class
  join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attname = 'tenant_id'
 where class.relnamespace = 'public'::regnamespace and class.relkind = 'r' and class.relname <> 'api_keys'
   and not exists (
     select from pg_policies policy
      where policy.schemaname = 'public' and policy.tablename = class.relname and policy.cmd = 'ALL'
        and 'biotrack_app' = any (policy.roles)
        and policy.qual like '%current_tenant_id%' and policy.with_check like '%current_tenant_id%');
select 'isolation: a key of a table with a tenant that does not begin with it' as label, null::uuid as tenant_id,
       class.relname::text as what
  from pg_index index
  join pg_class class on class.oid = index.indrelid
  join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attname = 'tenant_id'
 where class.relnamespace = 'public'::regnamespace and class.relname <> 'api_keys'
   and index.indisunique and index.indkey[0] <> attribute.attnum;
select 'isolation: a role of ours that owns or bypasses' as label, null::uuid as tenant_id, rolname::text as what
  from pg_roles
 where rolname in ('biotrack_app', 'biotrack_operator') and (rolsuper or rolbypassrls or rolcanlogin or rolcreaterole);
