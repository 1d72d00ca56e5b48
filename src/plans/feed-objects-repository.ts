import { sql } from 'kysely';
import type { Tx } from '../db/database.js';
import type { Fields } from '../domain/difference.js';
import { toFieldPairs, toSnakeCaseFields } from '../domain/snake-case.js';
import { COMPANY_FEED_FIELDS, LICENSE_FEED_FIELDS, toShownCompany } from './changes.js';
import { USER_FIELDS } from './fields.js';
import { selectCompanyStates, selectLicenseStates, toCompanyState, toLicenseState } from './snapshot-repository.js';

/** A company or a license with all its fields, as the change feed shows them. */
export interface FeedObject {
  readonly id: string;
  readonly fields: Fields;
  readonly insertedAt: Date;
}

/** The objects after an id, as they were after the change `seq`. */
export interface FeedObjectPage {
  readonly seq: number;
  readonly after: string | undefined;
  readonly limit: number;
  /** Only what the first sync created. */
  readonly isFirstSync?: boolean;
  /** Only this company, or only the licenses that it held. Null for all. */
  readonly companyId?: string | null;
}

const isOfFirstSync = sql<boolean>`inserted_datetime = (select first_synced_datetime from tenants)`;

/** Companies in the order of their ids. */
export const selectCompaniesAsOf = (tx: Tx, page: FeedObjectPage): Promise<FeedObject[]> =>
  readAsOf(tx, page, 'company_id', async (after, limit) => {
    const rows = await selectCompanyStates(tx)
      .select([
        'legal_business_name as legalBusinessName',
        'relationship_type as relationshipType',
        'custom_data as customData',
        'inserted_datetime as insertedAt',
      ])
      .$if(after !== undefined, (query) => query.where('id', '>', after as string))
      .$if(page.isFirstSync === true, (query) => query.where(isOfFirstSync))
      .$if(typeof page.companyId === 'string', (query) => query.where('id', '=', page.companyId as string))
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      id: row.id,
      insertedAt: row.insertedAt,
      fields: {
        ...toSnakeCaseFields(toShownCompany(toCompanyState(row)), COMPANY_FEED_FIELDS),
        ...toSnakeCaseFields(row, USER_FIELDS),
      },
    }));
  });

/** Licenses of companies in the order of their ids. */
export async function selectLicensesAsOf(tx: Tx, page: FeedObjectPage): Promise<FeedObject[]> {
  const { companyId } = page;
  if (typeof companyId !== 'string') return readLicensesAsOf(tx, page, undefined);
  // A company has few licenses, so all are read.
  const all = await readLicensesAsOf(tx, { ...page, limit: Number.MAX_SAFE_INTEGER }, companyId);
  return all.filter(({ fields }) => fields.company_id === companyId).slice(0, page.limit);
}

/** @param companyId only licenses that this company holds now or held before; undefined for all */
const readLicensesAsOf = (tx: Tx, page: FeedObjectPage, companyId: string | undefined): Promise<FeedObject[]> =>
  readAsOf(tx, page, 'license_id', async (after, limit) => {
    const rows = await selectLicenseStates(tx)
      .select(['leaflink_customer_id as leaflinkCustomerId', 'inserted_datetime as insertedAt'])
      .orderBy('id')
      .$if(after !== undefined, (query) => query.where('id', '>', after as string))
      .$if(page.isFirstSync === true, (query) => query.where(isOfFirstSync))
      .$if(companyId !== undefined, (query) =>
        query.where((eb) =>
          eb.or([
            eb('company_id', '=', companyId as string),
            eb('id', 'in', (inner) =>
              inner
                .selectFrom('changes')
                .select('changes.license_id')
                .where('from_company_id', '=', companyId as string)
                .$castTo<{ license_id: string }>(),
            ),
          ]),
        ),
      )
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      id: row.id,
      insertedAt: row.insertedAt,
      fields: {
        ...toSnakeCaseFields(toLicenseState(row), LICENSE_FEED_FIELDS),
        ...toSnakeCaseFields(row, LEAFLINK_FIELDS),
      },
    }));
  });

const LEAFLINK_FIELDS = toFieldPairs(['leaflinkCustomerId']);

const SKIPPED_PER_STATEMENT = 1_000;

type SelectPresent = (after: string | undefined, limit: number) => Promise<readonly FeedObject[]>;

/**
 * Reads present objects and undoes what later changes did to them; objects that were created later are left out. The changes are
 * read after the objects, so that whatever is committed in between is undone too.
 */
export async function readAsOf(
  tx: Tx,
  { seq, after, limit }: FeedObjectPage,
  column: 'company_id' | 'license_id',
  selectPresent: SelectPresent,
): Promise<FeedObject[]> {
  const found: FeedObject[] = [];
  let last = after;
  let count = limit;
  while (found.length < limit) {
    const present = await selectPresent(last, count);
    const ids = present.map(({ id }) => id);
    const later = await selectLaterChanges(tx, column, ids, seq);
    found.push(...present.flatMap((object) => undo(object, later.get(object.id) ?? [])));
    if (present.length < count) break;
    last = ids.at(-1);
    // Objects that were created later are adjacent, because ids grow with time. They are skipped in few statements.
    count = Math.max(limit, SKIPPED_PER_STATEMENT);
  }
  return found.slice(0, limit);
}

/** What the changed fields were before each later change of these objects; the latest change comes first. */
async function selectLaterChanges(
  tx: Tx,
  column: 'company_id' | 'license_id',
  ids: readonly string[],
  seq: number,
): Promise<ReadonlyMap<string, readonly (Fields | null)[]>> {
  const rows = await tx
    .selectFrom('changes')
    .select([`${column} as id`, 'before'])
    .where(column, '=', sql<string>`any(${[...ids]}::uuid[])`)
    .where('seq', '>', seq)
    // The changes of a license name its company, too.
    .$if(column === 'company_id', (query) => query.where('license_id', 'is', null))
    .orderBy('seq', 'desc')
    .execute();
  const later = new Map<string, (Fields | null)[]>();
  for (const { id, before } of rows) {
    const list = later.get(id as string);
    if (list === undefined) later.set(id as string, [before as Fields | null]);
    else list.push(before as Fields | null);
  }
  return later;
}

/** @param later `null` for the creation of the object */
const undo = (object: FeedObject, later: readonly (Fields | null)[]): FeedObject[] =>
  later.includes(null) ? [] : [{ ...object, fields: Object.assign({}, object.fields, ...later) }];
