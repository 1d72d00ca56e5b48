import type { Catalog } from './catalog.js';

/** The roles of the service and their privileges on the schema itself. */
export async function describeRoles({ lines }: Catalog): Promise<string[]> {
  const roles = await lines(`
    select format('create role %I ', rolname) || concat_ws(' ',
      case when rolcanlogin then 'login' else 'nologin' end,
      case when rolsuper then 'superuser' else 'nosuperuser' end,
      case when rolcreatedb then 'createdb' else 'nocreatedb' end,
      case when rolcreaterole then 'createrole' else 'nocreaterole' end,
      case when rolreplication then 'replication' else 'noreplication' end,
      case when rolbypassrls then 'bypassrls' else 'nobypassrls' end) || ';' as line
    from pg_roles where rolname like 'biotrack\\_%' order by rolname`);
  const memberships = await lines(`
    select format('grant %s to %s;', roleid::regrole, member::regrole) as line
    from pg_auth_members
    where member in (select oid from pg_roles where rolname like 'biotrack\\_%') order by line`);
  const schema = await lines(`
    select format('grant %s on schema public to %s;', rights, grantee) as line
    from (
      select lower(string_agg(privilege_type, ', ' order by privilege_type)) as rights,
             case grantee when 0 then 'public' else grantee::regrole::text end as grantee
      from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
      where nspname = 'public' and grantee <> nspowner
      group by grantee) as granted
    order by grantee`);
  const defaults = await lines(`
    select format('alter default privileges grant %s on %s to %s;', lower(privilege_type),
      case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
        when 'T' then 'types' else 'schemas' end,
      case grantee when 0 then 'public' else grantee::regrole::text end) as line
    from pg_default_acl, aclexplode(defaclacl) order by line`);
  return [...roles, ...memberships, ...schema, ...defaults];
}
