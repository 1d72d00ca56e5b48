-- Logins that are being attempted at BioTrack, or were rejected. No process attempts such a login again.
create table login_attempts (
  tenant_id uuid not null references tenants on delete cascade,
  -- A keyed hash of the BioTrack server, UBI, username and password. Useless without the keyset.
  login_hash bytea not null,
  -- When the lease of the current attempt ends, by the clock of Postgres.
  leased_until_datetime timestamptz not null,
  -- When BioTrack rejected the login; null while it is being attempted.
  refused_datetime timestamptz,
  primary key (tenant_id, login_hash)
);
call isolate_tenants('login_attempts');
