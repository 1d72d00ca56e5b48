-- Logins that are being tried at BioTrack, or were refused there: the same one is not tried again, by whatever process.
create table login_attempts (
  tenant_id uuid not null references tenants on delete cascade,
  -- A keyed hash of the upstream, the UBI, the user name and the password. Without the keyset it says nothing of them.
  login_hash bytea not null,
  -- Whoever tries it now has until then; by Postgres' clock.
  leased_until_datetime timestamptz not null,
  -- When BioTrack refused it; null while it is being tried.
  refused_datetime timestamptz,
  primary key (tenant_id, login_hash)
);
call isolate_tenants('login_attempts');
