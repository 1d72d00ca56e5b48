-- Invariants of every tenant. Each statement returns one row per violation, with the invariant in the column `label`.
-- Tests run this file after each integration test file, as the owner of the database.

-- I4: every active license has exactly one company of its tenant, which is active.
select 'I4 an active license has no active company' as label, license.tenant_id, license.license_key as what
  from company_licenses license
  left join companies company on company.tenant_id = license.tenant_id and company.id = license.company_id
 where license.active and (company.id is null or company.archived_datetime is not null);

-- I5: every active company has an active license, except manual companies.
select 'I5 an active company has no active license' as label, company.tenant_id, company.id::text as what
  from companies company
 where company.origin = 'biotrack' and company.archived_datetime is null
   and not exists (
     select from company_licenses license
      where license.tenant_id = company.tenant_id and license.company_id = company.id and license.active);

-- I10: licenses without a UBI are never grouped, neither with each other nor with licenses of a UBI.
select 'I10 a license without a UBI shares its company' as label, blank.tenant_id, blank.license_key as what
  from company_licenses blank
 where blank.active and blank.ubi_key is null and blank.named_by_company_id is null
   and exists (
     select from company_licenses other
      where other.tenant_id = blank.tenant_id and other.company_id = blank.company_id and other.id <> blank.id
        and other.active and other.named_by_company_id is null);

-- I11: counts add up. Rows of the list are counted when it is fetched, and by each tenant's plan; both must match.
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
select 'I11 the rows of a run do not match its list' as label, run.tenant_id, run.id::text as what
  from sync_runs run join tenants tenant using (tenant_id) join directories directory using (state, environment)
 where run.row_counts is not null and run.directory_version = directory.version
   -- Before the first sync, the tenant may have had another state.
   and run.finished_datetime >= tenant.first_synced_datetime
   and (run.row_counts ->> 'used')::bigint + (run.row_counts ->> 'filtered')::bigint
     <> directory.fetched_rows - directory.duplicate_rows - directory.skipped_rows;
select 'I11 the totals of the last sync do not match the rows' as label, state.tenant_id, state.object_totals::text as what
  from sync_states state
 where state.object_totals <> jsonb_build_object(
   'companies', (select count(*) from companies where companies.tenant_id = state.tenant_id),
   'activeCompanies', (
     select count(*) from companies where companies.tenant_id = state.tenant_id and archived_datetime is null),
   'activeLicenses', (select count(*) from company_licenses where company_licenses.tenant_id = state.tenant_id and active),
   'listedLicenses', (
     select count(*) from company_licenses
      where company_licenses.tenant_id = state.tenant_id and missing_since_datetime is null and content_hash <> ''));
-- The counts of a run match its changes, or its stored plan. What the first sync created has no changes.
select 'I11 the counts of a run do not match its changes' as label, run.tenant_id, run.id::text as what
  from sync_runs run
 cross join lateral (
   select count(*) filter (where change.kind = 'company.created') as created,
          count(*) filter (where change.kind = 'company.updated') as updated,
          count(*) filter (where change.kind = 'company.archived') as archived,
          count(*) filter (where change.kind = 'company.reactivated') as reactivated,
          count(*) filter (where change.kind = 'license.created') as licenses_created,
          count(*) filter (where change.from_company_id is not null) as moved
     from changes change
    where change.tenant_id = run.tenant_id and change.seq between run.first_change_seq and run.last_change_seq) changed
  join tenants tenant using (tenant_id)
 cross join lateral (
   select changed.created + count(*) filter (where of = 'company') as created,
          changed.licenses_created + count(*) filter (where of = 'license') as licenses_created,
          changed.updated, changed.archived, changed.reactivated, changed.moved
     from (select 'company' as of from companies company
            where company.tenant_id = run.tenant_id and company.created_run_id = run.id
              and tenant.first_synced_run_id = run.id
           union all
           select 'license' from company_licenses license
            where license.tenant_id = run.tenant_id and license.inserted_datetime = tenant.first_synced_datetime
              and tenant.first_synced_run_id = run.id) first) actual
 where run.first_change_seq is not null
   -- Older changes are deleted.
   and run.first_change_seq >= tenant.feed_start_seq
   and (actual.created, actual.updated, actual.archived, actual.reactivated, actual.licenses_created,
        actual.moved) is distinct from (
     (run.counts ->> 'created')::bigint, (run.counts ->> 'updated')::bigint, (run.counts ->> 'archived')::bigint,
     (run.counts ->> 'reactivated')::bigint, (run.counts ->> 'licensesCreated')::bigint,
     (run.counts ->> 'moved')::bigint);
select 'I11 the counts of a run do not match its plan' as label, run.tenant_id, run.id::text as what
  from sync_runs run
 cross join lateral (
   select count(*) filter (where item.kind = 'company.created') as created,
          count(*) filter (where item.kind = 'company.updated') as updated,
          count(*) filter (where item.kind = 'company.archived') as archived,
          count(*) filter (where item.kind = 'company.reactivated') as reactivated,
          count(*) filter (where item.action = 'adopted') as adopted,
          count(*) filter (where item.action = 'moved') as moved,
          count(*) filter (where item.action = 'conflict') as conflicts
     from sync_plan_items item where item.tenant_id = run.tenant_id and item.run_id = run.id) actual
 where run.plan_digest is not null and run.first_change_seq is null and run.applied_datetime is null
   and (actual.created, actual.updated, actual.archived, actual.reactivated, actual.adopted, actual.moved,
        actual.conflicts) is distinct from (
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

-- I19: references are valid within the tenant.
select 'I19 superseded_by is not a company of the tenant' as label, company.tenant_id, company.id::text as what
  from companies company
 where company.superseded_by is not null
   and not exists (
     select from companies holder
      where holder.tenant_id = company.tenant_id and holder.id = company.superseded_by);
select 'I19 a memory refers to no company of the tenant' as label, memory.tenant_id, memory.what
  from (select tenant_id, license_key as what, own_company_id as company_id from company_licenses
         where own_company_id is not null
        union all
        select tenant_id, ubi_key, company_id from vendor_companies) memory
 where not exists (
     select from companies company where company.tenant_id = memory.tenant_id and company.id = memory.company_id);
select 'I19 a change refers to no company or license of the tenant' as label, change.tenant_id, change.seq::text as what
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
select 'I19 a change refers to no run of the tenant' as label, change.tenant_id, change.seq::text as what
  from changes change
 where change.run_id is not null and not exists (
     select from sync_runs run where run.tenant_id = change.tenant_id and run.id = change.run_id);
select 'I19 a license refers to no credential of the tenant' as label, license.tenant_id, license.id::text as what
  from licenses license
 where license.credential_id is not null and not exists (
     select from credentials credential
      where credential.tenant_id = license.tenant_id and credential.id = license.credential_id);
select 'I19 a constraint is not validated' as label, null::uuid as tenant_id, conname::text as what
  from pg_constraint
 where connamespace = 'public'::regnamespace and not convalidated;

-- The two identity memories: one own company for each license, one vendor company for each UBI, without duplicates.
select 'memory: two licenses have the same own company' as label, tenant_id, own_company_id::text as what
  from company_licenses where own_company_id is not null
 group by tenant_id, own_company_id having count(*) > 1;
select 'memory: two UBIs have the same vendor company' as label, tenant_id, company_id::text as what
  from vendor_companies
 group by tenant_id, company_id having count(*) > 1;
select 'memory: a UBI has two vendor companies' as label, tenant_id, ubi_key as what
  from vendor_companies
 group by tenant_id, ubi_key having count(*) > 1;
select 'license: duplicate license key' as label, tenant_id, license_key as what
  from company_licenses
 group by tenant_id, license_key having count(*) > 1;

-- The company of an active license follows the strategy. Manually added licenses stay in their manual company.
select 'strategy: with one_per_license, a license is not in its own company' as label, tenant_id, license_key as what
  from company_licenses license join creation_preferences using (tenant_id) join tenants using (tenant_id)
 where strategy = 'one_per_license' and first_synced_datetime is not null
   and active and named_by_company_id is null and company_id is distinct from own_company_id;
select 'strategy: with one_per_vendor, a license is not in the company of its UBI' as label, license.tenant_id,
       license_key as what
  from company_licenses license join creation_preferences using (tenant_id) join tenants using (tenant_id)
  left join vendor_companies vendor on vendor.tenant_id = license.tenant_id and vendor.ubi_key = license.ubi_key
  left join conflicts conflict on conflict.tenant_id = license.tenant_id and conflict.ubi_key = license.ubi_key
 where strategy = 'one_per_vendor' and first_synced_datetime is not null
   and active and named_by_company_id is null and license.ubi_key is not null
   and license.company_id is distinct from coalesce(conflict.decided_company_id, vendor.company_id);

select 'strategy: a manually added license is in another company without a decision' as label, license.tenant_id,
       license_key as what
  from company_licenses license join creation_preferences using (tenant_id)
  left join conflicts conflict on conflict.tenant_id = license.tenant_id and conflict.ubi_key = license.ubi_key
 where license.active and license.named_by_company_id is not null
   and license.company_id is distinct from license.named_by_company_id
   and (strategy = 'one_per_license' or license.company_id is distinct from conflict.decided_company_id
        -- A decision does not cover manual companies that were added later.
        or license.named_by_company_id <> all (conflict.decided_company_ids));
select 'decision: a company represents two UBIs' as label, decided.tenant_id, decided.ubi_key as what
  from conflicts decided join vendor_companies vendor
    on vendor.tenant_id = decided.tenant_id and vendor.company_id = decided.decided_company_id
 where vendor.ubi_key <> decided.ubi_key;

-- Companies.
select 'company: two active companies have the same display name' as label, tenant_id, display_name as what
  from companies where archived_datetime is null
 group by tenant_id, display_name having count(*) > 1;
select 'company: superseded by an archived company without licenses' as label, company.tenant_id, company.id::text as what
  from companies company
  join companies holder on holder.tenant_id = company.tenant_id and holder.id = company.superseded_by
 where holder.archived_datetime is not null
   and not exists (
     select from company_licenses license
      where license.tenant_id = holder.tenant_id and license.company_id = holder.id);
select 'company: active and superseded' as label, tenant_id, id::text as what
  from companies where superseded_by is not null and archived_datetime is null;
select 'company: an active license has another UBI' as label, company.tenant_id, company.id::text as what
  from companies company
 where company.archived_datetime is null and company.ubi_key is not null
   and exists (
     select from company_licenses license
      where license.tenant_id = company.tenant_id and license.company_id = company.id and license.active
        and license.ubi_key is distinct from company.ubi_key);
select 'license: active and missing' as label, tenant_id, license_key as what
  from company_licenses where active and missing_since_datetime is not null;

-- The changes are numbered without gaps up to the counter of the tenant, at least from the one where the feed starts.
select 'changes: a gap' as label, tenant.tenant_id, feed.last::text as what
  from tenants tenant
 cross join lateral (
   select count(*) as many, coalesce(min(seq), 1) as first, coalesce(max(seq), 0) as last
     from changes change where change.tenant_id = tenant.tenant_id) feed
 where feed.first > greatest(tenant.feed_start_seq, 1) or feed.many <> feed.last - feed.first + 1
    or tenant.last_change_seq <> feed.last;
select 'changes: the feed starts after its end' as label, tenant_id, feed_start_seq::text as what
  from tenants where feed_start_seq > last_change_seq;
select 'changes: the first sync has no run' as label, tenant_id, first_synced_run_id::text as what
  from tenants tenant
 where (first_synced_run_id is null) <> (first_synced_datetime is null)
    or first_synced_run_id is not null and not exists (
         select from sync_runs run where run.tenant_id = tenant.tenant_id and run.id = tenant.first_synced_run_id);
select 'companies: the run that created one does not exist' as label, tenant_id, id::text as what
  from companies company
 where created_run_id is not null and not exists (
         select from sync_runs run where run.tenant_id = company.tenant_id and run.id = company.created_run_id);

-- Runs.
select 'run: two active full runs' as label, tenant_id, count(*)::text as what
  from sync_runs where mode = 'full' and status in ('queued', 'running')
 group by tenant_id having count(*) > 1;
select 'run: status and finished_datetime do not match' as label, tenant_id, id::text as what
  from sync_runs
 where (status in ('queued', 'running')) <> (finished_datetime is null);
select 'run: status and reason do not match' as label, tenant_id, id::text as what
  from sync_runs
 where (status = 'failed' and reason is null)
    or (status in ('succeeded', 'succeeded_with_warnings') and reason is not null);
select 'run: status and counts do not match' as label, tenant_id, id::text as what
  from sync_runs
 where (status in ('succeeded', 'succeeded_with_warnings')
        and (counts is null or row_counts is null or directory_version is null))
    or (status = 'failed' and counts is not null);
select 'run: its changes belong to another run' as label, run.tenant_id, run.id::text as what
  from sync_runs run
 where run.first_change_seq is not null and exists (
     select from changes change
      where change.tenant_id = run.tenant_id and change.seq between run.first_change_seq and run.last_change_seq
        and change.run_id is distinct from run.id);

-- Tenants are isolated: row-level security is forced on every tenant table, and unique keys start with `tenant_id`.
select 'isolation: a tenant table without forced row-level security' as label, null::uuid as tenant_id,
       class.relname::text as what
  from pg_class class
  join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attname = 'tenant_id'
 where class.relnamespace = 'public'::regnamespace and class.relkind = 'r' and class.relname <> 'api_keys'
   and not (class.relrowsecurity and class.relforcerowsecurity);
select 'isolation: a tenant table without a tenant policy' as label, null::uuid as tenant_id,
       class.relname::text as what
  from pg_class class
  join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attname = 'tenant_id'
 where class.relnamespace = 'public'::regnamespace and class.relkind = 'r' and class.relname <> 'api_keys'
   and not exists (
     select from pg_policies policy
      where policy.schemaname = 'public' and policy.tablename = class.relname and policy.cmd = 'ALL'
        and 'biotrack_app' = any (policy.roles)
        and policy.qual like '%current_tenant_id%' and policy.with_check like '%current_tenant_id%');
select 'isolation: a unique key of a tenant table does not start with tenant_id' as label, null::uuid as tenant_id,
       class.relname::text as what
  from pg_index index
  join pg_class class on class.oid = index.indrelid
  join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attname = 'tenant_id'
 where class.relnamespace = 'public'::regnamespace and class.relname <> 'api_keys'
   and index.indisunique and index.indkey[0] <> attribute.attnum;
select 'isolation: a role has too many rights' as label, null::uuid as tenant_id, rolname::text as what
  from pg_roles
 where rolname in ('biotrack_app', 'biotrack_operator') and (rolsuper or rolbypassrls or rolcanlogin or rolcreaterole);
