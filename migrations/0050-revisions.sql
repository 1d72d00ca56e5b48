-- Every statement that changes companies or their licenses increments the tenant's revision, on which the ETags of lists
-- depend. Runs in the writer's transaction with the writer's privileges.
create function move_revision() returns trigger
  language plpgsql
  as $$
begin
  update tenants set revision = revision + 1 where tenant_id = (select current_tenant_id());
  return null;
end
$$;

create trigger move_revision after insert or update or delete on companies
  for each statement execute function move_revision();
create trigger move_revision after insert or update or delete on company_licenses
  for each statement execute function move_revision();
