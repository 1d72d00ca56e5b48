import type { Db } from '../../db/database.js';
import {
  findOpenTables,
  findPowerfulRoles,
  findUnusableRoles,
  listEnvironmentsInUse,
  readServer,
} from './repository.js';

/** What has to be so of a database for the service to be safe on it. */
export interface DatabaseFinding {
  /** Of Postgres. */
  readonly major: number;
  /** By how much its clock is ahead of ours. */
  readonly skewSeconds: number;
  /** The service's roles that this login may not take. */
  readonly missingRoles: readonly string[];
  /** Those that could see more than they are given. */
  readonly powerfulRoles: readonly string[];
  /** Tenants' tables without row security. */
  readonly openTables: readonly string[];
  /** `NM/production`: what tenants are set up for. */
  readonly environments: readonly string[];
}

/** Looks, as the login that the service uses, and changes nothing. */
export async function examineDatabase(db: Db): Promise<DatabaseFinding> {
  const { major, now } = await readServer(db);
  const missingRoles = await findUnusableRoles(db);
  return {
    major,
    skewSeconds: (now.getTime() - Date.now()) / 1000,
    missingRoles,
    powerfulRoles: await findPowerfulRoles(db),
    openTables: await findOpenTables(db),
    environments: missingRoles.length === 0 ? await listEnvironmentsInUse(db) : [],
  };
}
