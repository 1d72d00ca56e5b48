-- The reason of a change, and for a moved license the previous company, whose history includes the move.
alter table changes
  add column reason text,
  add column from_company_id uuid;
-- A company's history and its explanation.
create index changes_company on changes (tenant_id, company_id, seq);
create index changes_from_company on changes (tenant_id, from_company_id, seq) where from_company_id is not null;
-- The state of a license at an earlier number.
create index changes_license on changes (tenant_id, license_id, seq) where license_id is not null;

alter table sync_runs
  -- The previewed value for a switch. Null uses the preference's value.
  add column include_labs boolean,
  -- When it was planned. New ids derive from this and the run's id, so that the plan can be reproduced.
  add column planned_datetime timestamptz,
  -- The versions of the plan's inputs and the digest of the plan. It can be applied while both are unchanged.
  add column input_versions jsonb,
  add column plan_digest text,
  -- When the preview was applied.
  add column applied_datetime timestamptz,
  -- The range of the change feed that the run wrote. Null if it changed nothing.
  add column first_change_seq bigint,
  add column last_change_seq bigint,
  -- Parts of an applied plan that are not in the change feed: filtered licenses, adoptions, conflicts. Limited;
  -- `counts` has the totals.
  add column notes jsonb not null default '{"filtered": [], "adoptions": [], "conflicts": []}';

-- The plan of a run that was not applied: a preview, or a run in review.
create table sync_plan_items (
  tenant_id uuid not null,
  run_id uuid not null,
  seq integer not null,
  action text not null,
  kind text,
  reason text not null,
  company_id uuid,
  license_id uuid,
  license_number text,
  before jsonb,
  after jsonb,
  primary key (tenant_id, run_id, seq),
  foreign key (tenant_id, run_id) references sync_runs on delete cascade
);
-- The items of one company, and the names of the companies that a plan would create.
create index sync_plan_items_company on sync_plan_items (tenant_id, run_id, company_id, seq) where company_id is not null;
call isolate_tenants('sync_plan_items');
