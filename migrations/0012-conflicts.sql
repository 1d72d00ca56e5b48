-- Several companies could stand for one UBI, and only a person can tell which. One row a UBI, with the last decision.
create table conflicts (
  tenant_id uuid not null references tenants on delete cascade,
  id uuid not null,
  ubi_key text not null,
  ubi text not null,
  -- Who could stand for the UBI; the first one does meanwhile, if it is no manual one.
  company_ids uuid[] not null,
  -- `gone`: there is nothing to decide any more, whoever changed that.
  status text not null check (status in ('open', 'resolved', 'gone')),
  -- The last decision, which holds until another one; that on `merge` names the company.
  decision text check (decision in ('merge', 'keep_apart')),
  decided_company_id uuid,
  decided_company_ids uuid[],
  decided_by text,
  decided_datetime timestamptz,
  -- The run that found it.
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
