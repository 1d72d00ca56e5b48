-- Tickets for event streams: browsers cannot send a token with an EventSource, so the URL has a ticket that works once.
create table event_tickets (
  tenant_id uuid not null references tenants on delete cascade,
  ticket_hash bytea not null,
  run_id uuid not null,
  -- Who may read the stream. Null once the ticket was used.
  principal jsonb,
  expires_datetime timestamptz not null,
  primary key (tenant_id, ticket_hash),
  foreign key (tenant_id, run_id) references sync_runs on delete cascade
);
create index event_tickets_run on event_tickets (tenant_id, run_id);
create index event_tickets_expiry on event_tickets (tenant_id, expires_datetime);
call isolate_tenants('event_tickets');
