-- Why it happened, and for a license that moved, whence: a company's history tells of those that left it.
alter table changes
  add column reason text,
  add column from_company_id uuid;
-- A company's history and its explanation.
create index changes_company on changes (tenant_id, company_id, seq);
create index changes_from_company on changes (tenant_id, from_company_id, seq) where from_company_id is not null;

alter table sync_runs
  -- What a preview was asked for, and the run of a switch did; null: as the preference says.
  add column include_labs boolean,
  -- When it was planned. With the run's id it gives the ids of the plan, so that the same plan can be made again.
  add column planned_datetime timestamptz,
  -- All that the plan was made from, and the plan itself, in a few bytes: it is applied as long as both are the same.
  add column basis jsonb,
  add column plan_digest text,
  -- Of a preview that was applied.
  add column applied_datetime timestamptz,
  -- The lines of the change feed that came of it; null: none.
  add column first_change_seq bigint,
  add column last_change_seq bigint,
  -- What is no change and yet a part of the plan: licenses not taken, adoptions, conflicts. Some of each, the counts tell
  -- how many.
  add column notes jsonb not null default '{"not_taken": [], "adoptions": [], "conflicts": []}';

-- The plan of a run that wrote nothing: a preview, or one that waits for a person.
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
call isolate_tenants('sync_plan_items');

-- A plan that a person dismissed is not proposed again before the directory moves.
alter table sync_states add column dismissed_directory_version bigint;
