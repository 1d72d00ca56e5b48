-- Two roles that own nothing and cannot bypass row security. Every transaction switches to one of them first: biotrack_app
-- sees one tenant; biotrack_operator sees the list of tenants and the tables that belong to no tenant. A login does not inherit
-- their rights, so it sees nothing before it switches. The logins of the service are members of biotrack_service.
do $$
declare
  wanted name;
  -- Before Postgres 16, each role says itself whether it inherits: biotrack_service does not, the owner does. Policies therefore check
  -- the current role too.
  without_inheritance text := case when current_setting('server_version_num')::int >= 160000
                                   then ' with inherit false, set true' else '' end;
begin
  foreach wanted in array array['biotrack_service', 'biotrack_app', 'biotrack_operator']::name[] loop
    begin
      -- Not even tried if it exists: that would need the right to create roles.
      if not exists (select from pg_roles where rolname = wanted) then
        execute format('create role %I nologin noinherit nosuperuser nocreatedb nocreaterole nobypassrls', wanted);
      end if;
    exception
      -- Roles belong to the whole server: a migration of another database may have created them, or be creating them.
      when duplicate_object or unique_violation then null;
    end;
    begin
      -- Since Postgres 16, the creator of a role must grant it to itself before it can switch to it.
      execute format('grant %I to %I%s', wanted, current_user, without_inheritance);
      if wanted <> 'biotrack_service' then
        execute format('grant %I to biotrack_service%s', wanted, without_inheritance);
      end if;
    exception
      when insufficient_privilege then
        if not pg_has_role(current_user, wanted, 'member') then
          raise exception 'grant % to % first: this login may neither use nor grant it', wanted, current_user;
        end if;
        if not pg_has_role('biotrack_service', wanted, 'member') then
          raise exception 'grant % to biotrack_service first: this login may not grant it', wanted;
        end if;
    end;
    execute format('grant connect, temporary on database %I to %I', current_database(), wanted);
    execute format('grant usage on schema public to %I', wanted);
  end loop;
end
$$;

-- The tenant of this transaction. In later transactions of a session the setting is '' instead of unset.
create function transaction_tenant_id() returns uuid
  language sql stable parallel safe
  as $$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;

-- The tenant whose rows are visible: only to biotrack_app itself, not to members that inherit its rights.
create function current_tenant_id() returns uuid
  language sql stable parallel safe
  as $$ select case when current_user = 'biotrack_app' then transaction_tenant_id() end $$;

create function is_operator() returns boolean
  language sql stable parallel safe
  as $$ select current_user = 'biotrack_operator' $$;

-- Enables row security for a tenant's table: only rows of the transaction's tenant are visible or writable.
create procedure isolate_tenants(of_table regclass)
  language plpgsql
  as $$
begin
  execute format('alter table %s enable row level security', of_table);
  execute format('alter table %s force row level security', of_table);
  execute format(
    'create policy tenant_isolation on %s to biotrack_app
       using (tenant_id = (select current_tenant_id())) with check (tenant_id = (select current_tenant_id()))',
    of_table);
  execute format('grant select, insert, update, delete on %s to biotrack_app', of_table);
end
$$;
