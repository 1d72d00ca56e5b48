import type { TestResponse, TestService } from './service.js';

type Fields = Readonly<Record<string, unknown>>;

/** What a client has read of a tenant's change feed. */
export interface Replica {
  /** Where it continues; undefined at the beginning. */
  readonly cursor: string | undefined;
  /** The number of the last change. */
  readonly seq: number;
  /** All objects by type and id. */
  readonly objects: ReadonlyMap<string, Fields>;
  /** Whether the last page was the last one. */
  readonly isCurrent: boolean;
  readonly counts: { readonly snapshot: number; readonly tail: number };
}

export const EMPTY_REPLICA: Replica = {
  cursor: undefined,
  seq: 0,
  objects: new Map(),
  isCurrent: false,
  counts: { snapshot: 0, tail: 0 },
};

type Ask = Pick<TestService, 'ask'>;

/** A reply other than 200. */
export class FeedError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`changes: ${code}`);
    this.code = code;
  }
}

/**
 * Reads a page as a client does, and applies it. Each change must follow its predecessor and start from the state before it.
 * @throws FeedError for a reply other than 200
 */
export async function readFeedPage({ ask }: Ask, tenantId: string, from: Replica, size = 500): Promise<Replica> {
  const after = from.cursor === undefined ? '' : `&page[after]=${from.cursor}`;
  const { status, body } = await ask('GET', `/v1/tenants/${tenantId}/changes?page[size]=${size}${after}`);
  if (status !== 200) throw new FeedError(body.code);
  const objects = new Map(from.objects);
  let { seq, counts } = from;
  for (const line of body.data) {
    const key = toObjectKey(line);
    const present = objects.get(key);
    if (line.kind.endsWith('.snapshot')) {
      if (counts.tail > 0) throw new Error(`I20: ${key} of the snapshot after a change`);
      if (counts.snapshot > 0 && line.seq !== seq) throw new Error(`I20: a snapshot as of ${seq} and of ${line.seq}`);
      if (present !== undefined) throw new Error(`I20: ${key} twice in the snapshot`);
      counts = { ...counts, snapshot: counts.snapshot + 1 };
    } else {
      const isFirst = counts.snapshot + counts.tail === 0;
      if (line.seq !== seq + 1 && !isFirst) throw new Error(`I20: after ${seq} comes ${line.seq}`);
      checkBefore(line, key, present);
      counts = { ...counts, tail: counts.tail + 1 };
    }
    seq = line.seq;
    objects.set(key, { ...present, ...line.after });
    if (key.startsWith('license') && objects.get(key)?.company_id !== line.company_id) {
      throw new Error(`I20: ${seq} ${line.kind} of ${key} has the company ${line.company_id}`);
    }
  }
  return { cursor: body.cursor, seq, objects, isCurrent: body.next_page === null, counts };
}

/** Reads to the end. */
export async function readFeed(ask: Ask, tenantId: string, from = EMPTY_REPLICA, size = 500): Promise<Replica> {
  let replica = await readFeedPage(ask, tenantId, from, size);
  while (!replica.isCurrent) replica = await readFeedPage(ask, tenantId, replica, size);
  return replica;
}

type Line = TestResponse['body'];

/** The changes after what a client has read, the oldest first. */
export async function readTail({ ask }: Ask, tenantId: string, { cursor }: Replica): Promise<Line[]> {
  const { status, body } = await ask('GET', `/v1/tenants/${tenantId}/changes?page[size]=500&page[after]=${cursor}`);
  if (status !== 200) throw new FeedError(body.code);
  if (body.next_page !== null) throw new Error('more than 500 changes');
  return body.data;
}

const toObjectKey = ({ kind, company_id, license_id }: Line): string =>
  kind.startsWith('company.') ? `company ${company_id}` : `${kind.split('.')[0]} ${license_id}`;

function checkBefore({ seq, kind, before }: Line, key: string, present: Fields | undefined): void {
  if ((before === null) !== (present === undefined)) {
    throw new Error(`I20: ${seq} ${kind} of ${key}: before is ${toCanonical(before)}`);
  }
  for (const [name, value] of Object.entries(before ?? {})) {
    const was = present?.[name];
    if (toCanonical(was) === toCanonical(value)) continue;
    throw new Error(`I20: ${seq} ${kind} of ${key}: ${name} was ${toCanonical(was)}, not ${toCanonical(value)}`);
  }
}

/** JSON independent of the order of fields; undefined is null. */
export const toCanonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner instanceof Map
      ? Object.fromEntries([...inner].sort(([a], [b]) => (a < b ? -1 : 1)))
      : typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : (inner ?? null),
  );

/** @throws Error for a field of the tenant's objects that the replica does not have, or has otherwise */
export function checkReplica(replica: Replica, wanted: ReadonlyMap<string, Fields>): void {
  for (const key of replica.objects.keys()) {
    if (!wanted.has(key)) throw new Error(`I20: ${key} is in the feed but does not exist`);
  }
  for (const [key, fields] of wanted) {
    const read = replica.objects.get(key);
    for (const [name, value] of Object.entries(fields)) {
      if (read !== undefined && toCanonical(read[name]) === toCanonical(value)) continue;
      const texts = `${toCanonical(read?.[name])} in the feed, but ${toCanonical(value)} in the tables`;
      throw new Error(`I20: ${name} of ${key} is ${texts}`);
    }
  }
}

/** The current state from the tables, with the field names of the feed. */
export async function readFeedTables(sql: TestService['sql'], tenantId: string): Promise<ReadonlyMap<string, Fields>> {
  const [companies, licenses, ownLicenses] = await Promise.all([
    sql<Fields>(
      `select id, origin, coalesce(edited_name, source_name) as name, source_name, display_name, ubi, is_own_company,
              archived_datetime is not null as archived, superseded_by, legal_business_name, relationship_type,
              custom_data
         from companies where tenant_id = $1`,
      [tenantId],
    ),
    sql<Fields>(
      `select id, company_id, license_number, name, license_type, license_type_raw, activities, ubi, active,
              missing_since_datetime, leaflink_customer_id,
              json_build_object('line1', address_line1, 'line2', address_line2, 'city', city, 'state', address_state,
                                'zip', zip) as address
         from company_licenses where tenant_id = $1`,
      [tenantId],
    ),
    sql<Fields>(
      `select id, license_number, name, license_type, issue_datetime, expiry_datetime, active, credential_id,
              default_intake_location_id, sync_enabled, create_companies, sync_rooms, notify_on_change,
              share_with_leaflink, archived_datetime is not null as archived
         from licenses where tenant_id = $1`,
      [tenantId],
    ),
  ]);
  const objects = new Map<string, Fields>();
  for (const company of companies) objects.set(`company ${company.id}`, company);
  for (const license of licenses) objects.set(`license ${license.id}`, license);
  for (const license of ownLicenses) objects.set(`own_license ${license.id}`, license);
  return objects;
}
