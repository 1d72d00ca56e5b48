// A tenant without a database: plans are applied to snapshots in memory, and whole histories run from seeds.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { Strategy } from '../../src/domain/strategy.js';
import { ACTIVITIES, type Vendor } from '../../src/domain/vendor.js';
import {
  type Collation,
  type CompanyState,
  collateVendors,
  type LicenseState,
  type PlanConflict,
  type PlanInput,
  planSync,
  type Snapshot,
  type SyncPlan,
  type VendorCompany,
} from '../../src/mapping/index.js';
import { readSeed as readTestSeed } from '../helpers/seed.js';

/** The functions under test: from a list to licenses, from licenses to a plan, from a plan to the next snapshot. */
export interface Mapper {
  readonly collateVendors: (vendors: readonly Vendor[], digest: (text: string) => string) => Collation;
  readonly planSync: (input: PlanInput) => SyncPlan;
  readonly applyPlan: (snapshot: Snapshot, plan: SyncPlan) => Snapshot;
}

/** A law does not hold. */
export class Violation extends Error {
  readonly law: string;

  constructor(law: string, detail: string) {
    super(`${law}: ${detail}`);
    this.law = law;
  }
}

const digests = new Map<string, string>();

/** SHA-256 with a cache, because the laws digest the same rows repeatedly. */
export function digest(text: string): string {
  const known = digests.get(text);
  if (known !== undefined) return known;
  if (digests.size > 50_000) digests.clear();
  const made = createHash('sha256').update(text).digest('base64url');
  digests.set(text, made);
  return made;
}

export const otherStrategy = (strategy: Strategy): Strategy =>
  strategy === 'one_per_license' ? 'one_per_vendor' : 'one_per_license';

/** Keys by the specification (NFC, trimmed, inner spaces collapsed), implemented independently of the code. */
export const keyOf = (text: string): string =>
  text
    .normalize('NFC')
    .split(/\s+/u)
    .filter((word) => word !== '')
    .join(' ');

export const ubiKeyOf = (ubi: string | null): string | null => (ubi === null ? null : keyOf(ubi) || null);

export const nameOf = (company: CompanyState): string | null => company.editedName ?? company.sourceName;

/** Ids in ascending order, the same ones for the same round. */
export function createIds(round = 0): () => string {
  let last = 0;
  const head = `0192${String(round).padStart(4, '0')}-0000-7000-8000-`;
  return () => {
    last += 1;
    return head + last.toString(16).padStart(12, '0');
  };
}

export const emptySnapshot = (ownUbi: string | null = null): Snapshot => ({
  companies: [],
  licenses: [],
  vendorCompanies: [],
  decisions: [],
  ownUbiKey: ubiKeyOf(ownUbi),
});

function check(condition: boolean, law: string, detail: () => string): void {
  if (!condition) throw new Violation(law, detail());
}

interface Numbered {
  readonly id: string;
}

interface Change<State> {
  readonly kind: string;
  readonly before: State | undefined;
  readonly after: State;
}

/** Applies steps like a replayed change feed: each must start from the current state. */
function applySteps<State extends Numbered>(present: readonly State[], steps: readonly Change<State>[]): State[] {
  const states = new Map(present.map((state) => [state.id, state]));
  for (const { kind, before, after } of steps) {
    const now = states.get(after.id);
    check(
      before === now || isDeepStrictEqual(before, now),
      'I20',
      () => `${kind} of ${after.id} does not start from the current state`,
    );
    check(
      kind.endsWith('.created') === (before === undefined),
      'I20',
      () =>
        `${kind} of ${after.id} ${before === undefined ? 'changes a missing object' : 'creates an existing object'}`,
    );
    states.set(after.id, after);
  }
  return [...states.values()];
}

function checkUnique<Row>(rows: readonly Row[], law: string, what: string, toKey: (row: Row) => string | null): void {
  const seen = new Set<string>();
  for (const row of rows) {
    const key = toKey(row);
    if (key === null) continue;
    check(!seen.has(key), law, () => `two ${what} ${key}`);
    seen.add(key);
  }
}

/** The constraints of the database: unique keys, valid references, names. */
export function checkSound({ companies, licenses, vendorCompanies }: Snapshot): void {
  checkUnique(companies, 'I19', 'companies with the id', ({ id }) => id);
  checkUnique(licenses, 'I19', 'licenses with the id', ({ id }) => id);
  checkUnique(licenses, 'I19', 'licenses with the key', ({ licenseKey }) => licenseKey);
  checkUnique(licenses, 'memories', 'licenses whose own company is', ({ ownCompanyId }) => ownCompanyId);
  checkUnique(vendorCompanies, 'memories', 'vendor companies of the UBI', ({ ubiKey }) => ubiKey);
  checkUnique(vendorCompanies, 'memories', 'UBIs whose vendor company is', ({ companyId }) => companyId);
  const known = new Set(companies.map(({ id }) => id));
  for (const { licenseKey, companyId, ownCompanyId } of licenses) {
    check(known.has(companyId), 'I19', () => `${licenseKey} belongs to no known company`);
    check(ownCompanyId === null || known.has(ownCompanyId), 'I19', () => `${licenseKey} has an unknown own company`);
    check(licenseKey !== '', 'I19', () => 'a license without a number');
  }
  for (const { ubiKey, companyId } of vendorCompanies) {
    check(known.has(companyId), 'I19', () => `${ubiKey} has an unknown vendor company`);
    check(ubiKey !== '', 'I10', () => 'a vendor company for the blank UBI');
  }
  for (const company of companies) {
    const { id, supersededBy, archivedDatetime } = company;
    check(supersededBy === null || known.has(supersededBy), 'I19', () => `${id} is superseded by an unknown company`);
    check(supersededBy === null || archivedDatetime !== null, 'I19', () => `${id} is superseded and not archived`);
    check(nameOf(company) !== null, 'I19', () => `${id} has no name`);
  }
}

/** The snapshot after a plan. Throws where Postgres would roll back. */
export function applyPlanInMemory(snapshot: Snapshot, plan: SyncPlan): Snapshot {
  const next: Snapshot = {
    companies: applySteps(snapshot.companies, plan.companies),
    licenses: applySteps(snapshot.licenses, plan.licenses),
    vendorCompanies: [...snapshot.vendorCompanies, ...plan.newVendorCompanies],
    decisions: snapshot.decisions,
    ownUbiKey: snapshot.ownUbiKey,
  };
  checkSound(next);
  return next;
}

export const REAL: Mapper = { collateVendors, planSync, applyPlan: applyPlanInMemory };

const byId = (a: Numbered, b: Numbered): number => (a.id < b.id ? -1 : 1);
const byUbi = (a: VendorCompany, b: VendorCompany): number => (a.ubiKey < b.ubiKey ? -1 : 1);

/** The same text for the same state, independent of its order. */
export const toCanonicalText = ({ companies, licenses, vendorCompanies, ownUbiKey }: Snapshot): string =>
  JSON.stringify([[...companies].sort(byId), [...licenses].sort(byId), [...vendorCompanies].sort(byUbi), ownUbiKey]);

export function freezeDeeply<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freezeDeeply(inner);
  }
  return value;
}

// ---------------------------------------------------------------------------------------------------------------------
// One sync

/** One sync of one tenant, with everything that laws check. */
export interface Sync {
  readonly mapper: Mapper;
  readonly rows: readonly Vendor[];
  readonly collation: Collation;
  readonly before: Snapshot;
  readonly strategy: Strategy;
  /** The strategy of the previous sync; undefined at the first one. */
  readonly strategyBefore: Strategy | undefined;
  readonly includeLabs: boolean;
  readonly at: string;
  /** `createIds(round)` returns the ids of this sync again. */
  readonly round: number;
  readonly plan: SyncPlan;
  readonly after: Snapshot;
}

export interface SyncInput {
  readonly rows: readonly Vendor[];
  /** Of these rows, if it was made already. */
  readonly collation?: Collation;
  readonly snapshot: Snapshot;
  readonly strategy: Strategy;
  readonly strategyBefore?: Strategy | undefined;
  readonly includeLabs?: boolean;
  readonly at?: string;
  readonly round: number;
}

export function sync(mapper: Mapper, input: SyncInput): Sync {
  const { rows, snapshot, strategy, round } = input;
  const includeLabs = input.includeLabs ?? false;
  const at = input.at ?? toTime(round);
  freezeDeeply(rows);
  freezeDeeply(snapshot);
  const collation = input.collation ?? freezeDeeply(mapper.collateVendors(rows, digest));
  const plan = mapper.planSync({
    listed: collation.licenses,
    snapshot,
    strategy,
    includeLabs,
    at,
    newId: createIds(round),
  });
  freezeDeeply(plan);
  const after = freezeDeeply(mapper.applyPlan(snapshot, plan));
  const strategyBefore = input.strategyBefore;
  return { mapper, rows, collation, before: snapshot, strategy, strategyBefore, includeLabs, at, round, plan, after };
}

/** A later time for a later sync. */
export const toTime = (round: number): string => new Date(Date.UTC(2026, 0, 1) + round * 3_600_000).toISOString();

// ---------------------------------------------------------------------------------------------------------------------
// Changes by users between syncs

export function editName(snapshot: Snapshot, companyId: string, editedName: string | null): Snapshot {
  return {
    ...snapshot,
    companies: snapshot.companies.map((company) => (company.id === companyId ? { ...company, editedName } : company)),
  };
}

const NO_ADDRESS = { line1: null, line2: null, city: null, state: null, zip: null };

/**
 * Adds a manual company with a license number. Undefined if an active company already holds the license (the API returns
 * 409 `license_taken`), or if it was already added to another manual company.
 */
export function addManualCompany(
  snapshot: Snapshot,
  { id, name, licenseNumber }: { readonly id: string; readonly name: string; readonly licenseNumber: string },
): Snapshot | undefined {
  const licenseKey = keyOf(licenseNumber);
  const known = snapshot.licenses.find((license) => license.licenseKey === licenseKey);
  const holder = snapshot.companies.find((company) => company.id === known?.companyId);
  if (known !== undefined && (holder?.archivedDatetime === null || known.namedByCompanyId !== null)) return undefined;
  const named: LicenseState =
    known === undefined
      ? {
          id: `${id.slice(0, -1)}f`,
          companyId: id,
          ownCompanyId: null,
          licenseKey,
          licenseNumber,
          ubi: null,
          ubiKey: null,
          namingUbiKey: null,
          name: null,
          licenseType: null,
          licenseTypeRaw: null,
          activities: [],
          address: NO_ADDRESS,
          isLab: false,
          namedByCompanyId: id,
          active: false,
          missingSinceDatetime: null,
          transactionIdOriginal: null,
          contentHash: '',
        }
      : { ...known, companyId: id, namedByCompanyId: id };
  const manual: CompanyState = {
    id,
    origin: 'manual',
    sourceName: null,
    editedName: name,
    displayName: name,
    nameGroup: name.toLowerCase(),
    ubi: null,
    ubiKey: null,
    isOwnCompany: false,
    archivedDatetime: null,
    supersededBy: null,
  };
  return {
    ...snapshot,
    companies: [...snapshot.companies, manual],
    licenses: [...snapshot.licenses.filter((license) => license !== known), named],
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Lists at random. A row is seven small numbers, so that fast-check is quick and can shrink; what they mean is here.

/** Numbers that a wrong comparison gets wrong: as texts, as doubles (2^53), as unknown. */
const TRANSACTION_IDS = ['9', '10', '99', '100', '1000', '9007199254740992', '9007199254740993', null] as const;
const NAMES = [
  'Mesa Farms',
  'Green Leaf',
  'Green  Leaf ',
  'GREEN LEAF',
  'Mesa Farms – Taos',
  'Élan',
  'Sol & Luna "South"',
  'Rio',
] as const;
const CITIES = ['Taos', 'Gallup', null, 'Taos', 'Santa Fe'] as const;

const at = <Value>(values: readonly Value[], index: number): Value => values[index % values.length] as Value;

/** License numbers in pairs that differ only in what a careless normalization would drop. */
function toNumber(index: number): string {
  const pair = Math.floor(index / 2);
  const isSecond = index % 2 === 1;
  switch (pair % 4) {
    case 0:
      return isSecond ? `00${pair + 1}` : String(pair + 1);
    case 1:
      return isSecond ? `ab${pair}c` : `AB${pair}C`;
    case 2:
      return isSecond ? `L ${pair}` : `L${pair}`;
    default:
      return isSecond ? `É${pair}` : `E${pair}`;
  }
}

/** UBIs in such pairs. */
function toUbi(index: number): string {
  const pair = Math.floor(index / 2);
  const isSecond = index % 2 === 1;
  switch (pair % 3) {
    case 0:
      return isSecond ? `0${600 + pair}` : String(600 + pair);
    case 1:
      return isSecond ? `u${pair} x` : `U${pair} x`;
    default:
      return isSecond ? `Ñ${pair}` : `N${pair}`;
  }
}

/** The same identifier in another spelling. */
function respell(text: string, spelling: number): string {
  switch (spelling % 8) {
    case 1:
      return ` ${text}`;
    case 2:
      return `${text}\t `;
    case 3:
      return text.replaceAll(' ', '  ').normalize('NFD');
    case 4:
      return text.replaceAll(' ', ' \t').normalize('NFD');
    default:
      return text;
  }
}

const BLANK_UBIS = [null, '', '  '] as const;

export type RowCode = readonly [number, number, number, number, number, number, number];
export type OpCode = readonly [number, number, number];

const numberTo = (most: number): fc.Arbitrary<number> => fc.noBias(fc.nat({ max: most - 1 }));
const MANY = 1 << 20;
const rowCode: fc.Arbitrary<RowCode> = fc.tuple(
  numberTo(MANY),
  numberTo(MANY),
  numberTo(8),
  numberTo(8),
  numberTo(8),
  numberTo(64),
  numberTo(100),
);
const opCode: fc.Arbitrary<OpCode> = fc.tuple(numberTo(100), numberTo(MANY), numberTo(MANY));

/** The number of different license numbers and UBIs for a list of this length: few, so that they repeat. */
const toPool = (length: number): number => Math.max(3, Math.round(length * 1.5));

function toRow([licenseIndex, ubiIndex, nameIndex, edit, creation, spelling, chance]: RowCode, length: number): Vendor {
  const hasBlankUbi = chance % 4 === 0;
  const ubi = toUbi(ubiIndex % Math.max(2, Math.round(length / 3)));
  return {
    licenseNumber: respell(toNumber(licenseIndex % toPool(length)), spelling),
    ubi: hasBlankUbi ? at(BLANK_UBIS, ubiIndex) : respell(ubi, spelling >> 3),
    name: chance % 9 === 1 ? null : at(NAMES, nameIndex),
    licenseType: null,
    licenseTypeRaw: String(nameIndex),
    activities: [at(ACTIVITIES, nameIndex)],
    address: { line1: null, line2: null, city: at(CITIES, nameIndex + edit), state: 'NM', zip: '00501' },
    isDeleted: chance % 11 === 2,
    isLab: chance % 13 === 3,
    transactionId: at(TRANSACTION_IDS, edit),
    transactionIdOriginal: at(TRANSACTION_IDS, creation),
  };
}

function toRows(codes: readonly RowCode[]): Vendor[] {
  const rows: Vendor[] = [];
  for (const code of codes) {
    const [licenseIndex, , , , , spelling, chance] = code;
    const earlier = rows[licenseIndex % Math.max(1, rows.length)];
    // One row in ten is an exact copy of an earlier one, some of them in another spelling of the same identifiers.
    if (chance < 10 && earlier !== undefined) {
      rows.push(chance < 7 ? earlier : { ...earlier, licenseNumber: respell(keyOf(earlier.licenseNumber), spelling) });
    } else rows.push(toRow(code, codes.length));
  }
  return rows;
}

// ---------------------------------------------------------------------------------------------------------------------
// Random histories

export interface SyncHistory {
  readonly rows: readonly RowCode[];
  /** Bit 0: the strategy; bit 1: labs; bits 2–4: the own UBI. */
  readonly start: number;
  /** The events before each sync but the first. */
  readonly rounds: readonly (readonly OpCode[])[];
}

export interface HistorySize {
  readonly minRows: number;
  readonly maxRows: number;
  readonly minRounds: number;
  readonly maxRounds: number;
  readonly maxOps: number;
}

export const SMALL: HistorySize = { minRows: 0, maxRows: 9, minRounds: 1, maxRounds: 4, maxOps: 3 };
export const MIDDLE: HistorySize = { minRows: 30, maxRows: 150, minRounds: 1, maxRounds: 3, maxOps: 25 };
export const LARGE: HistorySize = { minRows: 600, maxRows: 1_500, minRounds: 1, maxRounds: 2, maxOps: 150 };

export const historyOf = ({ minRows, maxRows, minRounds, maxRounds, maxOps }: HistorySize): fc.Arbitrary<SyncHistory> =>
  fc.record({
    rows: fc.array(rowCode, { minLength: minRows, maxLength: maxRows, size: 'max' }),
    start: numberTo(32),
    rounds: fc.array(fc.array(opCode, { minLength: 1, maxLength: maxOps, size: 'max' }), {
      minLength: minRounds,
      maxLength: maxRounds,
      size: 'max',
    }),
  });

interface World {
  rows: Vendor[];
  /** Rows that the state does not list at the moment. */
  gone: Vendor[];
  snapshot: Snapshot;
  strategy: Strategy;
  includeLabs: boolean;
  round: number;
  /** The conflicts that the last sync found. */
  conflicts: readonly PlanConflict[];
  /** The state's running number of edits; beyond 2^53. */
  edits: bigint;
}

/** Edits one row, usually with a new edit number. */
function editRow(world: World, index: number, change: (row: Vendor) => Partial<Vendor>): void {
  if (world.rows.length === 0) return;
  const at = index % world.rows.length;
  const row = world.rows[at] as Vendor;
  world.edits += 1n;
  world.rows[at] = { ...row, transactionId: String(world.edits), ...change(row) };
}

/** The events between two syncs, with their weights (of 100). */
const EVENTS: readonly (readonly [string, number, (world: World, a: number, b: number) => void])[] = [
  ['rename', 7, (world, a, b) => editRow(world, a, () => ({ name: at(NAMES, b) }))],
  ['lose the name', 2, (world, a) => editRow(world, a, () => ({ name: null }))],
  [
    'change city',
    4,
    (world, a, b) => editRow(world, a, ({ address }) => ({ address: { ...address, city: at(CITIES, b) } })),
  ],
  ['delete', 6, (world, a) => editRow(world, a, () => ({ isDeleted: true }))],
  ['undelete', 4, (world, a) => editRow(world, a, () => ({ isDeleted: false }))],
  ['vanish', 9, vanish],
  ['return', 9, returnRow],
  ['sell', 12, (world, a, b) => editRow(world, a, () => ({ ubi: toUbi(b % Math.max(3, world.rows.length / 3)) }))],
  ['swap UBIs', 6, swapUbis],
  ['blank UBI', 5, (world, a, b) => editRow(world, a, () => ({ ubi: at(BLANK_UBIS, b) }))],
  [
    'respell',
    2,
    (world, a, b) => editRow(world, a, (row) => ({ licenseNumber: respell(keyOf(row.licenseNumber), b) })),
  ],
  [
    'appear',
    4,
    (world, a, b) => world.rows.push(toRow([a, b, b % 8, a % 8, b % 7, a % 64, b % 100], world.rows.length)),
  ],
  ['repeat', 2, (world, a) => world.rows.push(...world.rows.slice(a % Math.max(1, world.rows.length)).slice(0, 2))],
  ['lose the edit number', 1, (world, a) => editRow(world, a, () => ({ transactionId: null }))],
  ['switch', 9, switchStrategy],
  ['own UBI', 3, changeOwnUbi],
  ['edit name', 7, (world, a, b) => edit(world, a, `${at(NAMES, b)} (ours)`)],
  ['edit into a namesake', 2, (world, a, b) => edit(world, a, at(NAMES, b))],
  ['clear the edit', 2, (world, a) => edit(world, a, null)],
  ['labs', 2, toggleLabs],
  ['decide', 2, decide],
];

function vanish(world: World, a: number): void {
  const victim = world.rows[a % Math.max(1, world.rows.length)];
  if (victim === undefined) return;
  const key = keyOf(victim.licenseNumber);
  world.gone.push(...world.rows.filter(({ licenseNumber }) => keyOf(licenseNumber) === key));
  world.rows = world.rows.filter(({ licenseNumber }) => keyOf(licenseNumber) !== key);
}

function returnRow(world: World, a: number): void {
  if (world.gone.length > 0) world.rows.push(...world.gone.splice(a % world.gone.length, 1));
}

function swapUbis(world: World, a: number, b: number): void {
  const left = world.rows[a % Math.max(1, world.rows.length)];
  const right = world.rows[b % Math.max(1, world.rows.length)];
  if (left === undefined || right === undefined) return;
  editRow(world, a, () => ({ ubi: right.ubi }));
  editRow(world, b, () => ({ ubi: left.ubi }));
}

function switchStrategy(world: World): void {
  world.strategy = otherStrategy(world.strategy);
}

/** A user decides which company gets all licenses of the UBI, or that they stay apart. */
function decide(world: World, a: number, b: number): void {
  const conflict = world.conflicts[a % Math.max(1, world.conflicts.length)];
  if (conflict === undefined) return;
  const { ubiKey, companyIds } = conflict;
  const { snapshot } = world;
  const isTaken = (id: string): boolean =>
    [...snapshot.vendorCompanies, ...snapshot.decisions].some(
      (entry) => entry.companyId === id && entry.ubiKey !== ubiKey,
    );
  const choices = [null, ...companyIds.filter((id) => !isTaken(id))];
  const decision = { ubiKey, companyIds, companyId: at(choices, b) };
  const others = snapshot.decisions.filter((other) => other.ubiKey !== ubiKey);
  world.snapshot = { ...snapshot, decisions: [...others, decision] };
}

function toggleLabs(world: World): void {
  world.includeLabs = !world.includeLabs;
}

function changeOwnUbi(world: World, _a: number, b: number): void {
  world.snapshot = { ...world.snapshot, ownUbiKey: ubiKeyOf(toUbi(b % 6)) };
}

function edit(world: World, a: number, name: string | null): void {
  const company = world.snapshot.companies[a % Math.max(1, world.snapshot.companies.length)];
  // The name of a manual company cannot be cleared.
  if (company === undefined || (name === null && company.origin === 'manual')) return;
  world.snapshot = editName(world.snapshot, company.id, name);
}

/** A user adds a manual company for a license number that no active company holds. */
function addManual(world: World, a: number, b: number): void {
  const row = at(world.rows.length > 0 ? world.rows : world.gone, a);
  if (row === undefined) return;
  const id = `0192ffff-0000-7000-8000-${String(world.snapshot.companies.length).padStart(11, '0')}a`;
  const manual = { id, name: at(NAMES, b), licenseNumber: row.licenseNumber };
  world.snapshot = addManualCompany(world.snapshot, manual) ?? world.snapshot;
}

const EVENTS_BY_WEIGHT: readonly (readonly [string, (world: World, a: number, b: number) => void])[] = EVENTS.flatMap(
  ([name, times, apply]) => Array.from({ length: times }, () => [name, apply] as const),
);

/** Counts over all histories. */
export interface Tally {
  lists: number;
  syncs: number;
  rows: number;
  duplicates: number;
  blankUbis: number;
  blankNames: number;
  sharedNames: number;
  leadingZeros: number;
  respelled: number;
  labs: number;
  deleted: number;
  unnumbered: number;
  manualCompanies: number;
  conflicts: number;
  decisions: number;
  readonly events: Map<string, number>;
}

export const createTally = (): Tally => ({
  lists: 0,
  syncs: 0,
  rows: 0,
  duplicates: 0,
  blankUbis: 0,
  blankNames: 0,
  sharedNames: 0,
  leadingZeros: 0,
  respelled: 0,
  labs: 0,
  deleted: 0,
  unnumbered: 0,
  manualCompanies: 0,
  conflicts: 0,
  decisions: 0,
  events: new Map(),
});

const countOf = <Row>(rows: readonly Row[], test: (row: Row) => boolean): number => {
  let count = 0;
  for (const row of rows) if (test(row)) count += 1;
  return count;
};

/** Counts the traits of a first list. */
function measure(rows: readonly Vendor[], tally: Tally): void {
  const ubisOfNames = new Map<string, Set<string>>();
  const keys = new Set<string>();
  for (const { licenseNumber, name, ubi } of rows) {
    keys.add(keyOf(licenseNumber));
    const ubiKey = ubiKeyOf(ubi);
    if (name === null || ubiKey === null) continue;
    ubisOfNames.set(name, (ubisOfNames.get(name) ?? new Set()).add(ubiKey));
  }
  tally.lists += 1;
  tally.rows += rows.length;
  tally.duplicates += rows.length - keys.size;
  tally.blankUbis += countOf(rows, ({ ubi }) => ubiKeyOf(ubi) === null);
  tally.blankNames += countOf(rows, ({ name }) => name === null);
  tally.sharedNames += countOf(
    rows,
    ({ name, ubi }) => ubiKeyOf(ubi) !== null && (ubisOfNames.get(name ?? '')?.size ?? 0) > 1,
  );
  tally.leadingZeros += countOf(
    rows,
    ({ licenseNumber, ubi }) => /^\s*0/.test(licenseNumber) || /^\s*0/.test(ubi ?? ''),
  );
  tally.respelled += countOf(rows, ({ licenseNumber }) => licenseNumber !== keyOf(licenseNumber));
  tally.labs += countOf(rows, ({ isLab }) => isLab);
  tally.deleted += countOf(rows, ({ isDeleted }) => isDeleted);
  tally.unnumbered += countOf(rows, (row) => row.transactionId === null || row.transactionIdOriginal === null);
}

/** Runs a history and calls `show` for each sync. */
export function play(
  mapper: Mapper,
  { rows, start, rounds }: SyncHistory,
  tally: Tally,
  show: (sync: Sync, isLast: boolean) => void,
): void {
  const world: World = {
    rows: toRows(rows),
    gone: [],
    snapshot: emptySnapshot(start >> 2 === 7 ? null : toUbi(start >> 2)),
    strategy: start % 2 === 0 ? 'one_per_license' : 'one_per_vendor',
    includeLabs: (start & 2) !== 0,
    round: 0,
    conflicts: [],
    edits: 10n ** 19n,
  };
  measure(world.rows, tally);
  let strategyBefore: Strategy | undefined;
  for (const ops of [[], ...rounds]) {
    // Some licenses are added manually before the first sync, which leads to adoptions and conflicts.
    const hasManual = world.round === 0 && rows.length % 3 === 0;
    for (const [a, b] of hasManual ? rows.slice(0, 1 + Math.floor(rows.length / 8)) : []) addManual(world, a, b);
    for (const [which, a, b] of ops) {
      const [name, apply] = at(EVENTS_BY_WEIGHT, which);
      apply(world, a, b);
      if (which % 25 === 24) addManual(world, a, b);
      tally.events.set(name, (tally.events.get(name) ?? 0) + 1);
    }
    world.round += 1;
    const { snapshot, strategy, includeLabs, round } = world;
    const done = sync(mapper, { rows: [...world.rows], snapshot, strategy, strategyBefore, includeLabs, round });
    tally.syncs += 1;
    tally.conflicts += done.plan.conflicts.length;
    tally.decisions += snapshot.decisions.length;
    tally.manualCompanies += countOf(done.after.companies, ({ origin }) => origin === 'manual');
    show(done, world.round > rounds.length);
    world.snapshot = done.after;
    world.conflicts = done.plan.conflicts;
    strategyBefore = strategy;
  }
}

/** The seed of the mapper's tests: fixed, since some of them count how often something happened. */
export const readSeed = (): number => readTestSeed(20_261_124);
