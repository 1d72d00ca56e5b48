-- What BioTrack answered to logins, so that no caller repeats a rejected login or guesses passwords. A row belongs to an account
-- (BioTrack server, UBI and username) or an exact login (with its password) of all tenants, or to a login of one tenant.
create table login_attempts (
  -- A keyed hash of what the row belongs to. Useless without the keyset.
  key_hash bytea primary key,
  -- Of an account: when the lease of its current login ends, by the clock of Postgres.
  leased_until_datetime timestamptz,
  -- The login that holds the lease; only it ends the lease.
  leased_by uuid,
  -- Logins that BioTrack answered but did not accept since it last accepted one.
  refusals integer not null default 0,
  refused_datetime timestamptz,
  -- Of a login: why it must not be repeated automatically.
  refusal text check (refusal in ('rejected', 'refused')),
  -- Which unknown text of BioTrack refused it: the server and a label.
  refused_text text,
  -- The text itself, without what was sent. For operators.
  upstream_text text,
  accepted_datetime timestamptz,
  -- When the row is no longer needed.
  expires_datetime timestamptz not null
);
create index login_attempts_expires on login_attempts (expires_datetime);
create index login_attempts_text on login_attempts (refused_text) where refused_text is not null;
grant select, insert, update, delete on login_attempts to biotrack_app;

-- The usernames that BioTrack refused with an unknown text. If one text refuses several, the state has a problem.
create table refused_usernames (
  refused_text text not null,
  -- A keyed hash of the BioTrack server and the username.
  username_hash bytea not null,
  in_tenant uuid not null references tenants on delete cascade,
  refused_datetime timestamptz not null default now(),
  -- Whether the text turned out to be a problem of the state, so that the statuses that it caused must be restored.
  is_of_state boolean not null default false,
  -- Whether they were restored.
  is_restored boolean not null default false,
  primary key (refused_text, username_hash, in_tenant)
);
create index refused_usernames_tenant on refused_usernames (in_tenant);
grant select, insert, update, delete on refused_usernames to biotrack_app;
grant select on refused_usernames to biotrack_operator;
