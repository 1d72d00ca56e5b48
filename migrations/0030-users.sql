-- The host application's people, as far as this service knows them: seen by their token, or told of.
create table users (
  tenant_id uuid not null references tenants on delete cascade,
  -- The host application's own id of the person; opaque.
  user_id text not null,
  display_name text,
  -- Told by the host application. Somebody who is not active has no secret here.
  active boolean not null default true,
  -- When a token of this person last came, to some seconds; null for somebody who was only told of.
  last_seen_datetime timestamptz,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
call isolate_tenants('users');
