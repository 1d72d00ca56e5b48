-- What a list of companies can show moves the tenant's revision, whoever writes it and however: the ETags of lists stand
-- on that. Once a statement, in the writer's own transaction and with his rights.
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
