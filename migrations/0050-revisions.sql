-- Every statement that changes companies, their licenses or conflicts increments the tenant's revision, on which the ETags of lists
-- depend. Runs in the writer's transaction with the writer's privileges.
create function move_revision() returns trigger
  language plpgsql
  as $$
begin
  update tenants set revision = revision + 1 where tenant_id = (select transaction_tenant_id());
  return null;
end
$$;

create trigger move_revision after insert or update or delete on companies
  for each statement execute function move_revision();
create trigger move_revision after insert or update or delete on company_licenses
  for each statement execute function move_revision();
-- A list of companies can be filtered by their conflicts.
create trigger move_revision after insert or update or delete on conflicts
  for each statement execute function move_revision();

-- Increases with every change of what a tenant's plans are made from, besides the state's list: companies, their licenses,
-- users' edits, decisions and dismissals, the UBI, the strategy and whether laboratories are included. A plan is applied
-- only if the revision is still the one with which its inputs were read.
alter table tenants add column inputs_revision bigint not null default 0;

create function move_inputs_revision() returns trigger
  language plpgsql
  as $$
begin
  update tenants set inputs_revision = inputs_revision + 1 where tenant_id = (select transaction_tenant_id());
  return null;
end
$$;

create trigger move_inputs_revision after insert or update or delete on companies
  for each statement execute function move_inputs_revision();
create trigger move_inputs_revision after insert or update or delete on company_licenses
  for each statement execute function move_inputs_revision();
create trigger move_inputs_revision after insert or update or delete on vendor_companies
  for each statement execute function move_inputs_revision();
create trigger move_inputs_revision after update of decision, decided_company_id, decided_company_ids on conflicts
  for each statement execute function move_inputs_revision();
create trigger move_inputs_revision after insert or delete on ubis
  for each row execute function move_inputs_revision();
create trigger move_inputs_revision_changed after update on ubis
  for each row when (old.ubi_key is distinct from new.ubi_key) execute function move_inputs_revision();
create trigger move_inputs_revision after insert or delete on creation_preferences
  for each row execute function move_inputs_revision();
create trigger move_inputs_revision_changed after update on creation_preferences
  for each row when ((old.strategy, old.include_labs) is distinct from (new.strategy, new.include_labs))
  execute function move_inputs_revision();

-- The state and the environment decide which list a plan is made from.
create function move_own_inputs_revision() returns trigger
  language plpgsql
  as $$
begin
  new.inputs_revision := old.inputs_revision + 1;
  return new;
end
$$;
create trigger move_inputs_revision before update on tenants
  for each row when ((old.state, old.environment) is distinct from (new.state, new.environment))
  execute function move_own_inputs_revision();
