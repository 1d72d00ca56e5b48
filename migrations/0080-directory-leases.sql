-- Only one process at a time fetches the list of a state. It renews its lease here while it does.
create table directory_leases (
  state text not null,
  environment text not null,
  holder uuid not null,
  until_datetime timestamptz not null,
  primary key (state, environment)
);
grant select, insert, update, delete on directory_leases to biotrack_operator;
