-- Of all processes one at a time asks a state for its list. Whoever does says so here, again and again while it does.
create table directory_leases (
  state text not null,
  environment text not null,
  holder uuid not null,
  until_datetime timestamptz not null,
  primary key (state, environment)
);
grant select, insert, update, delete on directory_leases to biotrack_operator;
