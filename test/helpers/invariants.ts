import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { findViolations } from '../../src/db/invariants.js';
import { toSearchText } from '../../src/domain/search-text.js';
import { toCompanySearchText, toLicenseSearchText } from '../../src/plans/search-text.js';

const FILE = new URL('../../src/db/invariants.sql', import.meta.url);

/** Each violation as a line; empty in a healthy database. Works on a pool and inside a transaction. */
export async function findBrokenInvariants(database: Pick<pg.ClientBase, 'query'>): Promise<string[]> {
  const violations = [...(await findViolations(database)), ...(await findWrongSearchTexts(database))];
  return violations.map(({ label, tenantId, what }) => `${label}: ${tenantId} ${what}`);
}

/** The labels of all invariants, so that a test can break each of them. */
export async function listInvariants(): Promise<string[]> {
  const text = await readFile(FILE, 'utf8');
  const inSql = [...text.matchAll(/^select '([^']+)' as label/gm)].map(([, label]) => label as string);
  return [...inSql, ...Object.values(SEARCH)];
}

const SEARCH = {
  company: 'search: the text of a company is not what its fields give',
  license: 'search: the text of a license is not what its fields give',
} as const;

/** Postgres cannot normalize texts as the service does, so they are computed here. */
async function findWrongSearchTexts(database: Pick<pg.ClientBase, 'query'>) {
  const companies = await database.query(
    `select tenant_id, id, display_name as "displayName", source_name as "sourceName", ubi_key as "ubiKey", search_text,
            legal_business_name, legal_search_text from companies`,
  );
  const licenses = await database.query(
    `select tenant_id, id, license_key as "licenseKey", name, ubi_key as "ubiKey", city, search_text from company_licenses`,
  );
  const toViolation =
    (label: string) =>
    ({ tenant_id, id }: { readonly tenant_id: string; readonly id: string }) => ({
      label,
      tenantId: tenant_id,
      what: id,
    });
  return [
    ...companies.rows
      .filter(
        (row) =>
          row.search_text !== toCompanySearchText(row) ||
          row.legal_search_text !== (row.legal_business_name === null ? null : toSearchText(row.legal_business_name)),
      )
      .map(toViolation(SEARCH.company)),
    ...licenses.rows
      .filter((row) => row.search_text !== toLicenseSearchText({ ...row, address: { city: row.city } }))
      .map(toViolation(SEARCH.license)),
  ];
}
