import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { findViolations } from '../../src/db/invariants.js';

const FILE = new URL('../../src/db/invariants.sql', import.meta.url);

/** Each violation as a line; empty in a healthy database. Works on a pool and inside a transaction. */
export async function findBrokenInvariants(database: Pick<pg.ClientBase, 'query'>): Promise<string[]> {
  const violations = await findViolations(database);
  return violations.map(({ label, tenantId, what }) => `${label}: ${tenantId} ${what}`);
}

/** The labels of all invariants, so that a test can break each of them. */
export async function listInvariants(): Promise<string[]> {
  const text = await readFile(FILE, 'utf8');
  return [...text.matchAll(/^select '([^']+)' as label/gm)].map(([, label]) => label as string);
}
