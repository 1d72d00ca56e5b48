import type { RunStep } from '../../src/domain/sync-run.js';
import type { TestService } from './service.js';

/**
 * Makes runs stand still, or fail, at a step of theirs: by triggers, so that what is tested is the service as it is. A new
 * step of the code has to be given one here.
 */
const PLACES: Readonly<Record<RunStep, 'claim' | 'biotrack' | 'planning' | 'companies' | 'result'>> = {
  queued: 'claim',
  fetching: 'biotrack',
  planning: 'planning',
  applying: 'companies',
  done: 'result',
};

/** Beside the steps: everything is written, and the commit is under way. */
export type Moment = RunStep | 'commit';
export const MOMENTS: readonly Moment[] = [...(Object.keys(PLACES) as RunStep[]), 'commit'];

/** What a run that comes by does there. */
type Deed = 'sleep' | 'throw';

export async function placeStalls({ sql }: TestService): Promise<void> {
  await sql('create table stalls (of_tenant uuid, place text, deed text)');
  await sql(`create function stall() returns trigger language plpgsql security definer set search_path = public as $$
    declare
      here text := tg_argv[0];
      wanted text;
    begin
      if here = 'run' then
        here := case when new.step = 'fetching' and old.step = 'queued' then 'claim'
                     when new.step = 'planning' and old.step <> 'planning' then 'planning'
                     when new.step = 'done' and new.status like 'succeeded%' then 'result' end;
      end if;
      select deed into wanted from stalls where of_tenant = new.tenant_id and place = here;
      if wanted = 'sleep' then perform pg_sleep(120); end if;
      if wanted = 'throw' then raise exception 'thrown at %', here; end if;
      return new;
    end $$`);
  await sql(`create trigger stall before update on sync_runs for each row execute function stall('run')`);
  await sql(`create trigger stall before insert on companies for each row execute function stall('companies')`);
  await sql(`create constraint trigger stall_commit after insert on companies deferrable initially deferred
    for each row execute function stall('commit')`);
}

export async function stallAt({ sql }: TestService, tenantId: string, moment: Moment, deed: Deed): Promise<void> {
  const place = moment === 'commit' ? 'commit' : PLACES[moment];
  await sql('insert into stalls values ($1, $2, $3)', [tenantId, place, deed]);
}

/** The number of held transactions. */
export async function countSleeping({ sql }: TestService): Promise<number> {
  const [row] = await sql<{ many: number }>(
    `select count(*)::int as many from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
  );
  return row?.many ?? 0;
}

export const clearStalls = ({ sql }: TestService): Promise<unknown> => sql('delete from stalls');
