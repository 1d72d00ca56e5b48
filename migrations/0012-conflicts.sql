-- Several companies claim one UBI, and a user must decide. One row per UBI, with the last decision.
create table conflicts (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  ubi_key text not null,
  ubi text not null,
  -- The companies that claim the UBI. Until a decision, the first one represents it unless it is a manual company.
  company_ids uuid[] not null,
  -- `closed`: the companies changed before a decision, so there is nothing to decide.
  status text not null check (status in ('open', 'resolved', 'closed')),
  -- The last decision, in effect until the next one. `decided_company_id` is set with `merge`.
  decision text check (decision in ('merge', 'keep_apart')),
  decided_company_id uuid,
  decided_company_ids uuid[],
  decided_by text,
  decided_datetime timestamptz,
  -- The run that found the conflict.
  run_id uuid,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, ubi_key),
  foreign key (tenant_id, decided_company_id) references companies deferrable initially deferred,
  check ((decision = 'merge') = (decided_company_id is not null))
);
call isolate_tenants('conflicts');
