-- The audit log: who changed what, with which request. Written in the transaction of the change; append-only.
create table audit (
  -- No reference: the entries outlive their tenant.
  tenant_id uuid not null,
  id bigint generated always as identity,
  operation_id text not null,
  actor text not null,
  request_id text not null,
  -- The path of the request, which identifies the object.
  object text not null,
  -- The tables written, such as `insert credentials <id>` or `update ubis`. No values, except the name of a deleted tenant
  -- or key.
  changed text[] not null,
  inserted_datetime timestamptz not null default now(),
  primary key (tenant_id, id)
);
call isolate_tenants('audit');
revoke update, delete on audit from biotrack_app;

-- The same for objects that belong to no tenant.
create table operator_audit (
  id bigint generated always as identity primary key,
  operation_id text not null,
  actor text not null,
  request_id text not null,
  object text not null,
  changed text[] not null,
  inserted_datetime timestamptz not null default now()
);
grant select, insert on operator_audit to biotrack_operator;
