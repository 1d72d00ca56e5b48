import type { Catalog } from './catalog.js';

/** Grants on sequences. */
export function describeSequences({ lines }: Catalog): Promise<string[]> {
  return lines(`
    select format('grant %s on sequence %s to %s;', lower(string_agg(privilege_type, ', ' order by privilege_type)),
      pg_class.oid::regclass, who) as line
    from pg_class, aclexplode(coalesce(relacl, acldefault('s', relowner))),
      lateral (select case grantee when 0 then 'public' else grantee::regrole::text end as who) as named
    where relnamespace = 'public'::regnamespace and relkind = 'S' and grantee <> relowner
    group by pg_class.oid, who order by 1`);
}
