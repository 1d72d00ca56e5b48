-- Who changed what by which call. Written in the transaction of the change; never updated.
create table audit (
  tenant_id uuid not null references tenants on delete cascade,
  id bigint generated always as identity,
  operation_id text not null,
  actor text not null,
  request_id text not null,
  -- The path of the call, which names the object.
  object text not null,
  -- What was written: `insert credentials <id>`, `update ubis`. Never a value.
  changed text[] not null,
  inserted_datetime timestamptz not null default now(),
  primary key (tenant_id, id)
);
call isolate_tenants('audit');
revoke update, delete on audit from biotrack_app;

-- The same of what belongs to no tenant, and of tenants that are gone with all they had.
create table operator_audit (
  id bigint generated always as identity primary key,
  operation_id text not null,
  actor text not null,
  request_id text not null,
  object text not null,
  changed text[] not null,
  inserted_datetime timestamptz not null default now()
);
grant insert on operator_audit to biotrack_app;
grant select, insert on operator_audit to biotrack_operator;
