import type { Catalog } from './catalog.js';

/** Functions and procedures with their grants, one block each, ordered by name. */
export async function describeRoutines({ lines }: Catalog): Promise<string[][]> {
  const routines = await lines(`
    select oid::regprocedure::text as line from pg_proc
    where pronamespace = 'public'::regnamespace and prokind in ('f', 'p') order by 1`);
  const blocks: string[][] = [];
  for (const routine of routines) {
    const definition = await lines('select rtrim(pg_get_functiondef($1::regprocedure)) as line', [routine]);
    blocks.push([...definition.map((text) => `${text};`), ...(await lines(GRANTS, [routine]))]);
  }
  return blocks;
}

const GRANTS = `
  select format('grant execute on %s %s to %s;', case prokind when 'p' then 'procedure' else 'function' end,
    $1::regprocedure, who) as line
  from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))),
    lateral (select case grantee when 0 then 'public' else grantee::regrole::text end as who) as named
  where pg_proc.oid = $1::regprocedure and grantee <> proowner
  order by who`;
