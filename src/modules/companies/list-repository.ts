import type { Db } from '../../db/database.js';
import { runStatement, type Statement, TENANT_REVISION } from '../../db/single-statement.js';
import type { PageRequest } from '../../domain/page.js';
import type { Activity } from '../../domain/vendor.js';
import { COMPANY, type CompanyView, type LicensesShown, toLicenses } from './repository.js';

export interface CompanyFilters {
  /** In the form of `toSearchText`. Each is in the company or in one of its shown licenses. */
  readonly words?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly ubiKey?: string | undefined;
  readonly licenseKey?: string | undefined;
  readonly city?: string | undefined;
  /** The code or its meaning. */
  readonly licenseType?: string | undefined;
  readonly activity?: Activity | undefined;
  readonly origin?: 'biotrack' | 'manual' | undefined;
  readonly isOwnCompany?: boolean | undefined;
  readonly hasConflict?: boolean | undefined;
  readonly ids?: readonly string[] | undefined;
  readonly archived: 'exclude' | 'include' | 'only';
  readonly updatedFrom?: Date | undefined;
  readonly updatedTo?: Date | undefined;
}

export type CompanySort = 'name' | 'updated_datetime' | 'licenses';

export interface CompanyListing {
  readonly filters: CompanyFilters;
  readonly page: PageRequest;
  readonly shown: LicensesShown;
  /** By id if undefined, which is the order of creation. */
  readonly sort?: CompanySort | undefined;
  readonly isDescending?: boolean;
  readonly withTotal?: boolean;
}

export interface CompanyRow extends CompanyView {
  /** As text without loss; null if sorted by id only. */
  readonly sortKey: string | null;
}

interface SortKey {
  readonly type: 'text' | 'timestamptz' | 'bigint';
  /** Selects the id and the key of all companies that match. */
  toSelect(conditions: string): string;
  /** In SQL, of the column `c.key`. */
  readonly toText: string;
}

const selectKey = (key: string) => (conditions: string) =>
  `select c.id, ${key} as key from companies c where ${conditions}`;

const SORT_KEYS: Readonly<Record<CompanySort, SortKey>> = {
  name: {
    type: 'text',
    // Shortened, because a cursor contains it.
    toSelect: selectKey(`left(split_part(c.search_text, E'\\n', 1), 200) collate "C"`),
    toText: 'c.key',
  },
  updated_datetime: {
    type: 'timestamptz',
    toSelect: selectKey('c.updated_datetime'),
    // `Date` has no microseconds.
    toText: `to_char(c.key at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
  },
  licenses: {
    type: 'bigint',
    // Reads each table once. A join could be slow: for tables without statistics, Postgres expects few rows.
    toSelect: (conditions) => `
      select id, sum(licenses) as key from (
        select c.id, 0 as licenses, true as matches from companies c where ${conditions}
        union all select company_id, 1, false from company_licenses where tenant_id = $1 and active) c
       group by id having bool_or(matches)`,
    toText: 'c.key::text',
  },
};

const UUID_LENGTH = 36;

/** The position of a company in its list, for a cursor. */
export const toPosition = ({ id, sortKey }: CompanyRow): string => id + (sortKey ?? '');

const fromPosition = (position: string) => ({
  id: position.slice(0, UUID_LENGTH),
  sortKey: position.slice(UUID_LENGTH),
});

type Place = (value: string) => string;

/**
 * One page, with one more company than `size` if there is another page. Every row also has the tenant's revision and the total,
 * read from the same snapshot. For a tenant without companies there is one row whose company columns are null.
 */
export function toPageStatement(tenantId: string, listing: CompanyListing): Statement {
  const { filters, page, sort, isDescending = false, shown, withTotal = false } = listing;
  const values: (string | null)[] = [tenantId];
  const place = (value: string): string => {
    values.push(value);
    return `$${values.length}`;
  };
  const conditions = [...toConditions(filters, shown, place)].join(' and ');
  const direction = isDescending ? ' desc' : '';
  const sortKey = sort === undefined ? undefined : SORT_KEYS[sort];
  const order = `${sortKey === undefined ? '' : `c.key${direction}, `}c.id${direction}`;
  const isNext = isDescending ? '<' : '>';
  const last = page.after === undefined ? undefined : fromPosition(page.after);
  const limit = place(String(page.size + 1));
  const companies = sortKey === undefined ? byId() : byKey(sortKey);
  return {
    text: `select t.revision, ${withTotal ? toTotal(filters, conditions) : 'null'} as total,
              ${sortKey?.toText ?? 'null'} as "sortKey", c.*, ${toLicenses(shown)}
       from (${TENANT_REVISION}) t left join lateral (${companies}) c on true order by ${order}`,
    values,
  };

  function byId(): string {
    const rest = last === undefined ? '' : ` and c.id ${isNext} ${place(last.id)}::uuid`;
    return `select ${COMPANY} from companies c where ${conditions}${rest} order by ${order} limit ${limit}`;
  }

  /** Finds the ids first, so that only the rows of the page are sorted and read with all columns. */
  function byKey({ type, toSelect }: SortKey): string {
    const rest =
      last === undefined
        ? ''
        : `where (c.key, c.id) ${isNext} (${place(last.sortKey)}::${type}, ${place(last.id)}::uuid)`;
    return `select c.*, k.key from (
        select c.id, c.key from (${toSelect(conditions)}) c ${rest} order by ${order} limit ${limit}) k
      cross join lateral (select ${COMPANY} from companies c where c.tenant_id = $1 and c.id = k.id offset 0) c`;
  }
}

/** The total without filters is kept since the first sync. Before it there are only manual companies. */
function toTotal({ archived, ...filters }: CompanyFilters, conditions: string): string {
  const count = `(select count(*) from companies c where ${conditions})`;
  if (Object.values(filters).some((filter) => filter !== undefined)) return count;
  const kept = {
    exclude: `(object_totals ->> 'activeCompanies')::bigint`,
    include: `(object_totals ->> 'companies')::bigint`,
    only: `(object_totals ->> 'companies')::bigint - (object_totals ->> 'activeCompanies')::bigint`,
  };
  return `coalesce((select ${kept[archived]} from sync_states where tenant_id = $1), ${count})`;
}

function* toConditions(filters: CompanyFilters, shown: LicensesShown, place: Place): Generator<string> {
  const { words = [], name, ubiKey, licenseKey, city, licenseType, activity, updatedFrom, updatedTo } = filters;
  const { origin, isOwnCompany, hasConflict, ids, archived } = filters;
  yield 'c.tenant_id = $1';
  if (ids !== undefined) yield `c.id = any (${place(`{${ids.join()}}`)}::uuid[])`;
  if (name !== undefined) yield `coalesce(c.edited_name, c.source_name) ilike ${place(`%${toLikeText(name)}%`)}`;
  if (ubiKey !== undefined) yield `c.ubi_key = ${place(ubiKey)}`;
  if (origin !== undefined) yield `c.origin = ${place(origin)}`;
  if (isOwnCompany !== undefined) yield isOwnCompany ? 'c.is_own_company' : 'not c.is_own_company';
  if (archived === 'exclude') yield 'c.archived_datetime is null';
  if (archived === 'only') yield 'c.archived_datetime is not null';
  if (updatedFrom !== undefined) yield `c.updated_datetime >= ${place(updatedFrom.toISOString())}::timestamptz`;
  if (updatedTo !== undefined) yield `c.updated_datetime < ${place(updatedTo.toISOString())}::timestamptz`;
  if (hasConflict !== undefined) yield `c.id ${hasConflict ? 'in' : 'not in'} (${IN_CONFLICT})`;
  // Sub-selects without a reference to `c` are executed once, and their result is hashed.
  const holds = (condition: string): string =>
    `c.id in (select company_id from company_licenses where tenant_id = $1 and ${condition})`;
  const isShown = shown === 'active' ? 'active and ' : '';
  if (licenseKey !== undefined) yield holds(`license_key = ${place(licenseKey)}`);
  if (city !== undefined) yield holds(`${isShown}lower(city) = ${place(city.toLowerCase())}`);
  if (activity !== undefined) yield holds(`${isShown}${place(activity)} = any (activities)`);
  if (licenseType !== undefined) {
    const type = place(licenseType);
    // Unknown codes are shown with a label: see `toLicenseTypeLabel`.
    const isUnknown = `license_type is null and 'Type ' || license_type_raw = ${type}`;
    yield holds(`${isShown}(license_type_raw = ${type} or license_type = ${type} or (${isUnknown}))`);
  }
  for (const word of words) {
    const text = place(word);
    // `strpos` and not `like`, in which `%`, `_` and `\` have a meaning.
    const isIn = (columns: readonly string[]): string =>
      columns.map((column) => `strpos(${column}, ${text}) > 0`).join(' or ');
    const isInCompany = isIn(['c.search_text', 'c.ubi_key', 'c.legal_search_text']);
    yield `(${isInCompany} or ${holds(`${isShown}(${isIn(['search_text', 'license_key', 'ubi_key'])})`)})`;
  }
}

const IN_CONFLICT = `select unnest(company_ids) from conflicts where tenant_id = $1 and status = 'open'`;

/** Escapes what has a meaning in a LIKE pattern. */
const toLikeText = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

export interface CompanyPageRows {
  readonly revision: string;
  readonly total: number | undefined;
  readonly rows: readonly CompanyRow[];
}

/** Undefined if the tenant does not exist. */
export async function findCompanyPage(
  db: Db,
  tenantId: string,
  listing: CompanyListing,
): Promise<CompanyPageRows | undefined> {
  type Row = CompanyRow & { readonly revision: string; readonly total: number | null };
  const rows = await runStatement<Row>(db, tenantId, toPageStatement(tenantId, listing));
  const [first] = rows;
  if (first === undefined) return undefined;
  return { revision: first.revision, total: first.total ?? undefined, rows: first.id === null ? [] : rows };
}
