import type { Catalog } from './catalog.js';

/** Objects that schema.sql cannot represent. Rendering fails on them instead of omitting them silently. */
export function listUnknown({ lines }: Catalog): Promise<string[]> {
  return lines(`
    select format('%s (pg_class.relkind %L)', oid::regclass, relkind) as line from pg_class
    where relnamespace = 'public'::regnamespace and relkind not in ('r', 'p', 'i', 'I', 'S', 't', 'c')
    union all
    select format('%s (pg_type.typtype %L)', oid::regtype, typtype) from pg_type
    where typnamespace = 'public'::regnamespace and typelem = 0
      and not exists (select from pg_class where reltype = pg_type.oid and relkind in ('r', 'p'))
    union all
    select format('%s (pg_proc.prokind %L)', oid::regprocedure, prokind) from pg_proc
    where pronamespace = 'public'::regnamespace and prokind not in ('f', 'p')
    union all
    select format('%s (a rule)', rulename) from pg_rewrite join pg_class on pg_class.oid = ev_class
    where relnamespace = 'public'::regnamespace and rulename <> '_RETURN'
    order by line`);
}
