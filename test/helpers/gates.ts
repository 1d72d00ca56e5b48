import pg from 'pg';
import type { TestService } from './service.js';
import { until } from './until.js';

/** Holds runs at a place of their work, until the gate opens. */
export interface Gate {
  /** Resolves when a run stands at the gate. */
  untilReached(): Promise<void>;
  open(): Promise<void>;
}

/** Holds what reads the tenants' vendor companies, the last table that a plan is made from: for at most 5 seconds. */
export async function closePlanningGate({ databaseUrl }: Pick<TestService, 'databaseUrl'>): Promise<Gate> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('begin; lock table vendor_companies in access exclusive mode');
  return {
    untilReached: () =>
      untilTrue(async () => {
        const { rowCount } = await client.query(
          `select from pg_locks where relation = 'vendor_companies'::regclass and not granted`,
        );
        return (rowCount ?? 0) > 0;
      }),
    async open() {
      await client.query('commit');
      await client.end();
    },
  };
}

const untilTrue = (look: () => Promise<boolean>): Promise<void> => until('a run waits', look).then(() => undefined);

const GATE = 1_809;

/** Holds what inserts or updates companies in bulk, with the tenant's lock. */
export async function closeApplyingGate({ databaseUrl }: Pick<TestService, 'databaseUrl'>): Promise<Gate> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  // Waits without a lock, because waiting for one is limited.
  await client.query(`create or replace function wait_at_gate() returns trigger language plpgsql as $$
    begin
      while not pg_try_advisory_xact_lock_shared(${GATE}) loop perform pg_sleep(0.02); end loop;
      return null;
    end $$`);
  await client.query(
    `create or replace trigger gate before insert on companies for each statement execute function wait_at_gate()`,
  );
  await client.query('select pg_advisory_lock($1)', [GATE]);
  return {
    untilReached: () =>
      untilTrue(async () => {
        const { rowCount } = await client.query(
          `select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
        );
        return (rowCount ?? 0) > 0;
      }),
    async open() {
      await client.query('select pg_advisory_unlock($1)', [GATE]);
      await client.end();
    },
  };
}
