-- Users of the host application: seen with a token, or registered through the API.
create table users (
  tenant_id uuid not null references tenants on delete cascade,
  -- The host application's id of the user; opaque.
  user_id text not null,
  display_name text,
  -- Set by the host application. The credentials of inactive users are deleted.
  active boolean not null default true,
  -- When the user last sent a token, accurate to a few seconds. Null if the user was only registered.
  last_seen_datetime timestamptz,
  version integer not null default 1,
  inserted_datetime timestamptz not null default now(),
  updated_datetime timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
call isolate_tenants('users');
