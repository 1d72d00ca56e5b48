// Identity, names and edits, rule by rule. Every sync of these tests must also keep all laws.
import t from 'tap';
import { createIdSequence } from '../../src/domain/id-sequence.js';
import type { ListedLicense } from '../../src/domain/listed-license.js';
import { STRATEGIES, type Strategy } from '../../src/domain/strategy.js';
import type { Vendor } from '../../src/domain/vendor.js';
import { toDisplayNames, toNameGroup } from '../../src/mapping/display-names.js';
import {
  type CompanyState,
  explainHolding,
  explainVendorCompany,
  type LicenseState,
  planNames,
  type Snapshot,
  type SyncPlan,
  toKnownList,
  toReasons,
} from '../../src/mapping/index.js';
import { findGuardViolation } from '../../src/plans/guard.js';
import { checkLaws } from './laws.js';
import {
  addManualCompany,
  digest,
  editName,
  emptySnapshot,
  keyOf,
  nameOf,
  otherStrategy,
  REAL,
  sync,
  toTime,
  ubiKeyOf,
} from './world.js';

const LICENSE: Strategy = 'one_per_license';
const VENDOR: Strategy = 'one_per_vendor';

interface RowOptions extends Partial<Vendor> {
  readonly city?: string | null;
  /** When it was created. Also the time of its last edit, unless `transactionId` is set. */
  readonly age?: number | string | null;
}

/** A row of the list: `row('1', 'A', 'Mesa')` is license 1 of vendor A, trading as Mesa. */
function row(
  licenseNumber: string,
  ubi: string | null,
  name: string | null = 'Mesa',
  options: RowOptions = {},
): Vendor {
  const { city = 'Taos', age = 10, ...fields } = options;
  const transactionIdOriginal = age === null ? null : String(age);
  return {
    licenseNumber,
    ubi,
    name,
    licenseType: null,
    licenseTypeRaw: '8',
    activities: ['retail'],
    address: { line1: '1 Example Rd', line2: null, city, state: 'NM', zip: '00501' },
    isDeleted: false,
    isLab: false,
    transactionId: transactionIdOriginal,
    transactionIdOriginal,
    ...fields,
  };
}

/** A tenant whose state can be inspected after each sync. */
class Tenant {
  snapshot: Snapshot;
  strategy: Strategy;
  includeLabs = false;
  /** What the directory knows about licenses without a UBI, by license key. */
  readonly lastUbis = new Map<string, { readonly ubi: string; readonly ubiKey: string }>();
  #round = 0;
  #strategyBefore: Strategy | undefined;

  constructor(strategy: Strategy, ownUbi: string | null = null) {
    this.strategy = strategy;
    this.snapshot = emptySnapshot(ownUbi);
  }

  sync(rows: readonly Vendor[], strategy = this.strategy): SyncPlan {
    this.strategy = strategy;
    this.#round += 1;
    const { snapshot, includeLabs } = this;
    const strategyBefore = this.#strategyBefore;
    const { licenses, duplicates } = REAL.collateVendors(rows, digest);
    const listed = licenses.map((license) =>
      license.ubiKey === null ? { ...license, lastUbi: this.lastUbis.get(license.licenseKey) ?? null } : license,
    );
    const collation = { licenses: listed, duplicates };
    const done = sync(REAL, { rows, collation, snapshot, strategy, strategyBefore, includeLabs, round: this.#round });
    checkLaws(done, true, new Map());
    this.snapshot = done.after;
    this.#strategyBefore = strategy;
    return done.plan;
  }

  /** The time of the last sync. */
  get at(): string {
    return toTime(this.#round);
  }

  license(licenseNumber: string): LicenseState {
    const license = this.snapshot.licenses.find(({ licenseKey }) => licenseKey === keyOf(licenseNumber));
    if (license === undefined) throw new Error(`license ${licenseNumber} is not known`);
    return license;
  }

  company(id: string): CompanyState {
    const company = this.snapshot.companies.find((candidate) => candidate.id === id);
    if (company === undefined) throw new Error(`company ${id} is not known`);
    return company;
  }

  /** The id of the company that a license is attached to. */
  holder(licenseNumber: string): string {
    return this.license(licenseNumber).companyId;
  }

  holders(...licenseNumbers: string[]): string[] {
    return licenseNumbers.map((licenseNumber) => this.holder(licenseNumber));
  }

  get active(): CompanyState[] {
    return this.snapshot.companies.filter(({ archivedDatetime }) => archivedDatetime === null);
  }

  /** The display names of the active companies. */
  get shown(): string[] {
    return this.active.map(({ displayName }) => displayName).sort();
  }

  isActive(id: string): boolean {
    return this.company(id).archivedDatetime === null;
  }

  edit(licenseNumber: string, name: string | null): void {
    this.snapshot = editName(this.snapshot, this.holder(licenseNumber), name);
  }

  setOwnUbi(ubi: string): void {
    this.snapshot = { ...this.snapshot, ownUbiKey: ubiKeyOf(ubi) };
  }

  /** Adds a manual company with a license number. Returns its id. */
  addManual(name: string, licenseNumber: string): string {
    const id = `0192ffff-0000-7000-8000-${String(this.snapshot.companies.length).padStart(11, '0')}a`;
    const next = addManualCompany(this.snapshot, { id, name, licenseNumber });
    if (next === undefined) throw new Error(`${licenseNumber} is taken`);
    this.snapshot = next;
    return id;
  }
}

const kindsOf = (plan: SyncPlan): string[] => [...plan.companies, ...plan.licenses].map(({ kind }) => kind);

const countOf = (values: readonly string[]): number => new Set(values).size;

const collate = (...rows: Vendor[]): ReturnType<typeof REAL.collateVendors> => REAL.collateVendors(rows, digest);

// ---------------------------------------------------------------------------------------------------------------------
// Keys and duplicates

t.test('license keys: NFC, trimmed, inner spaces collapsed; the spelling is kept for display', (t) => {
  const spellings = ['L 7É', ' L 7É', 'L 7É\t', 'L   7É', 'L \t 7E\u0301', '\n L 7E\u0301 '];
  for (const spelling of spellings) {
    const [license] = collate(row(spelling, 'A')).licenses;
    t.equal(license?.licenseKey, 'L 7É', `the key of ${JSON.stringify(spelling)}`);
    t.equal(license?.licenseNumber, spelling, 'keeps its spelling');
  }
  const { licenses, duplicates } = collate(...spellings.map((spelling) => row(spelling, 'A')));
  t.equal(licenses.length, 1, 'all of them are one license');
  t.equal(duplicates, 5);
  t.end();
});

t.test('license keys: leading zeros, case and accents count', (t) => {
  const numbers = ['7', '07', '007', 'ab', 'AB', 'Ab', 'É', 'E', 'L7', 'L 7'];
  const { licenses, duplicates } = collate(...numbers.map((number) => row(number, 'A')));
  t.same(
    licenses.map(({ licenseKey }) => licenseKey),
    [...numbers].sort(),
  );
  t.equal(duplicates, 0);
  t.end();
});

t.test('UBI keys: normalized like license keys', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', ' 0 6É'), row('2', '0  6E\u0301\t'), row('3', '6É'), row('4', '0 6é'), row('5', '0 6E')]);
  t.equal(tenant.holder('1'), tenant.holder('2'), 'one UBI in two spellings');
  t.equal(countOf(tenant.holders('1', '3', '4', '5')), 4, 'four UBIs that only look alike');
  t.equal(tenant.license('1').ubi, ' 0 6É', 'the spelling is kept');
  t.end();
});

t.test('names are not identity: one name with two UBIs gives two companies, two names with one UBI give one', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A', 'Mesa'), row('2', 'B', 'Mesa'), row('3', 'A', 'Other')]);
  t.not(tenant.holder('1'), tenant.holder('2'));
  t.equal(tenant.holder('1'), tenant.holder('3'));
  t.end();
});

t.test('duplicates: identical rows are counted as duplicates', (t) => {
  const [one, two] = [row('1', 'A'), row('2', 'A')];
  const single = collate(one, two);
  const { licenses, duplicates } = collate(one, two, one, { ...one }, two);
  t.same(licenses, single.licenses, 'the list is the same');
  t.equal(duplicates, 3);
  t.equal(single.duplicates, 0);
  t.end();
});

t.test('duplicates: the row with the highest transactionid wins, in any order', (t) => {
  const cases: readonly (readonly [string | null, string | null, string])[] = [
    ['9', '10', 'compared as numbers, not as text'],
    ['99', '100', 'compared as numbers, not as text'],
    ['9007199254740992', '9007199254740993', 'beyond 2^53'],
    ['0', '1', 'including zero'],
    [null, '0', 'a row with a transactionid wins over one without'],
  ];
  for (const [lower, higher, why] of cases) {
    const old = row('1', 'A', 'Old', { transactionId: lower });
    const recent = row('1', 'B', 'Recent', { transactionId: higher });
    t.equal(collate(old, recent).licenses[0]?.name, 'Recent', why);
    t.same(collate(recent, old), collate(old, recent), 'in any order');
    t.equal(collate(recent, old).duplicates, 1, 'the other row is a duplicate');
  }
  t.end();
});

t.test('duplicates: rows of the vendor list win over rows of the lab list', (t) => {
  const vendor = row('1', 'A', 'Vendor', { transactionId: '1' });
  const lab = row('1', 'A', 'Lab', { transactionId: '2', isLab: true });
  for (const rows of [
    [vendor, lab],
    [lab, vendor],
  ]) {
    t.match(collate(...rows), { licenses: [{ name: 'Vendor', isLab: false }], duplicates: 1 }, 'in any order');
  }
  t.same(collate(vendor, lab).licenses, collate(vendor).licenses);
  t.end();
});

t.test('duplicates: ties are broken by content, never by order', (t) => {
  const rows = ['b', 'c', 'a'].map((name) => row('1', 'A', name));
  const [first, second, third] = rows as [Vendor, Vendor, Vendor];
  const wanted = collate(first, second, third);
  for (const order of [
    [first, third, second],
    [second, first, third],
    [second, third, first],
    [third, first, second],
    [third, second, first],
  ]) {
    t.same(collate(...order), wanted);
  }
  const unnumbered = rows.map((one) => ({ ...one, transactionId: null }));
  t.same(collate(...unnumbered), collate(...[...unnumbered].reverse()), 'also among rows without a transactionid');
  t.end();
});

t.test('duplicates: an edit that changes only the transactionid is not a change', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.sync([row('1', 'A')]);
  const plan = tenant.sync([row('1', 'A', 'Mesa', { transactionId: '999' })]);
  t.same(kindsOf(plan), []);
  t.end();
});

// ---------------------------------------------------------------------------------------------------------------------
// Each strategy

t.test('one_per_license: each active license belongs to its own company', (t) => {
  const tenant = new Tenant(LICENSE);
  const plan = tenant.sync([row('1', 'A'), row('2', 'A'), row('3', 'B')]);
  t.equal(countOf(tenant.holders('1', '2', '3')), 3);
  t.match(plan.counts, { created: 3, updated: 0, unchanged: 0, archived: 0, reactivated: 0, moved: 0 });
  for (const { companyId, ownCompanyId } of tenant.snapshot.licenses) t.equal(companyId, ownCompanyId);
  t.same(tenant.snapshot.vendorCompanies, [], 'no vendor company is recorded');
  t.end();
});

t.test('one_per_vendor: each active license belongs to the vendor company of its UBI', (t) => {
  const tenant = new Tenant(VENDOR);
  const plan = tenant.sync([row('1', 'A'), row('2', 'A'), row('3', 'B')]);
  t.equal(tenant.holder('1'), tenant.holder('2'));
  t.not(tenant.holder('1'), tenant.holder('3'));
  t.equal(plan.counts.created, 2);
  t.match(tenant.company(tenant.holder('1')), { ubi: 'A', ubiKey: 'A', origin: 'biotrack' });
  t.same(tenant.snapshot.vendorCompanies, [
    { ubiKey: 'A', companyId: tenant.holder('1') },
    { ubiKey: 'B', companyId: tenant.holder('3') },
  ]);
  t.end();
});

t.test('one_per_vendor: a UBI gets the own company of its license with the lowest transactionid_original', (t) => {
  const cases: readonly (readonly [string, readonly Vendor[], string])[] = [
    ['the lowest', [row('1', 'A', 'x', { age: 12 }), row('2', 'A', 'x', { age: 11 })], '2'],
    ['compared as numbers', [row('1', 'A', 'x', { age: 100 }), row('2', 'A', 'x', { age: 99 })], '2'],
    [
      'beyond 2^53',
      [row('1', 'A', 'x', { age: '9007199254740993' }), row('2', 'A', 'x', { age: '9007199254740992' })],
      '2',
    ],
    ['ties by license number', [row('2', 'A'), row('10', 'A'), row('1', 'A')], '1'],
    ['unknown sorts last', [row('1', 'A', 'x', { age: null }), row('2', 'A', 'x', { age: 5 })], '2'],
    ['inactive licenses are ignored', [row('1', 'A', 'x', { age: 11 }), row('2', 'A', 'x', { age: 12 })], '1'],
  ];
  for (const [why, rows, oldest] of cases) {
    const tenant = new Tenant(LICENSE);
    tenant.sync([...rows, row('0', 'A', 'Gone', { age: 1 })]);
    const own = tenant.holder(oldest);
    tenant.sync([...rows, row('0', 'A', 'Gone', { age: 1, isDeleted: true })], VENDOR);
    t.equal(tenant.holder(rows[0]?.licenseNumber ?? ''), own, why);
    t.equal(tenant.active.length, 1);
  }
  t.end();
});

t.test('one_per_vendor: a new vendor company becomes the own company of its oldest license', (t) => {
  const tenant = new Tenant(VENDOR);
  const rows = [row('1', 'A', 'x', { age: 12 }), row('2', 'A', 'x', { age: 11 })];
  tenant.sync(rows);
  const vendor = tenant.holder('1');
  t.equal(tenant.license('2').ownCompanyId, vendor);
  t.equal(tenant.license('1').ownCompanyId, null, 'the others get their own company when it is first needed');
  tenant.sync(rows, LICENSE);
  t.equal(tenant.holder('2'), vendor);
  t.not(tenant.holder('1'), vendor);
  t.end();
});

t.test('one_per_vendor: a company that represents another UBI is skipped', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A', 'x', { age: 1 }), row('2', 'A', 'x', { age: 2 })]);
  const companyA = tenant.holder('1');
  tenant.sync([row('1', 'B', 'x', { age: 1, transactionId: '50' }), row('2', 'A', 'x', { age: 2 })]);
  t.equal(tenant.holder('2'), companyA, 'A keeps its company');
  t.not(tenant.holder('1'), companyA, 'B gets a new one');
  t.equal(
    tenant.license('1').ownCompanyId,
    companyA,
    'although the company of A is the own company of the sold license',
  );
  t.end();
});

t.test('one_per_vendor: if the oldest own company represents another UBI, the next oldest is chosen', (t) => {
  const tenant = new Tenant(VENDOR);
  const first = row('1', 'A', 'x', { age: 1 });
  tenant.sync([first]);
  const companyA = tenant.holder('1');
  tenant.sync([first, row('2', 'B', 'x', { age: 2 })], LICENSE);
  const own = tenant.holder('2');
  const merged = [
    row('1', 'C', 'x', { age: 1, transactionId: '50' }),
    row('2', 'C', 'x', { age: 2, transactionId: '51' }),
    row('3', 'C', 'x', { age: 0 }),
  ];
  tenant.sync(merged, VENDOR);
  t.same(tenant.holders('1', '2', '3'), [own, own, own]);
  t.match(tenant.company(companyA), { archivedDatetime: tenant.at, supersededBy: own });
  t.equal(tenant.license('3').ownCompanyId, null, 'the oldest license still has no own company');
  t.end();
});

t.test('one_per_vendor: if every own company represents another UBI, a new company is created', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'x', { age: 1 }), row('2', 'B', 'x', { age: 2 })];
  tenant.sync(rows);
  tenant.sync(rows, VENDOR);
  const taken = tenant.holders('1', '2');
  const plan = tenant.sync(rows.map((one) => ({ ...one, ubi: 'C', transactionId: '50' })));
  t.equal(plan.counts.created, 1);
  t.equal(countOf(tenant.holders('1', '2')), 1);
  t.equal(countOf([...taken, tenant.holder('1')]), 3);
  t.same(
    ['1', '2'].map((licenseNumber) => tenant.license(licenseNumber).ownCompanyId),
    taken,
    'the own companies are unchanged',
  );
  t.end();
});

for (const strategy of STRATEGIES) {
  t.test(`blank UBIs are never grouped: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    const rows = [row('1', null), row('2', null), row('3', ''), row('4', '   '), row('5', '\t'), row('6', 'A')];
    tenant.sync(rows);
    t.equal(countOf(tenant.holders('1', '2', '3', '4', '5', '6')), 6);
    t.equal(tenant.license('4').ubiKey, null);
    const before = tenant.holders('1', '2', '3', '4', '5');
    tenant.sync(rows, otherStrategy(strategy));
    t.same(tenant.holders('1', '2', '3', '4', '5'), before, 'they keep their companies when the strategy changes');
    t.notOk(
      tenant.snapshot.vendorCompanies.some(({ ubiKey }) => ubiKey !== 'A'),
      'no vendor company is recorded for a blank UBI',
    );
    t.end();
  });

  t.test(`blank names: ${strategy}: companies of nameless licenses have unique names`, (t) => {
    const tenant = new Tenant(strategy);
    tenant.sync([row('1', 'A', null), row('2', 'B', null), row('3', null, null)]);
    t.equal(tenant.active.length, 3);
    for (const company of tenant.active) t.match(nameOf(company), /\S/);
    t.equal(countOf(tenant.shown), 3);
    const id = tenant.holder('1');
    tenant.sync([row('1', 'A', 'Mesa', { transactionId: '50' }), row('2', 'B', null), row('3', null, null)]);
    t.equal(tenant.holder('1'), id, 'it stays the same company when the state adds a name');
    t.equal(tenant.company(id).displayName, 'Mesa');
    t.end();
  });

  t.test(`a vendor with one license keeps its company id in both strategies: ${strategy} first`, (t) => {
    const tenant = new Tenant(strategy);
    const rows = [row('1', 'A'), row('2', 'B'), row('3', 'B')];
    tenant.sync(rows);
    const id = tenant.holder('1');
    const plan = tenant.sync(rows, otherStrategy(strategy));
    t.equal(tenant.holder('1'), id);
    t.notOk(
      plan.companies.some(({ after }) => after.id === id),
      'the company is unchanged',
    );
    tenant.sync(rows, strategy);
    t.equal(tenant.holder('1'), id);
    t.end();
  });

  t.test(`switching and switching back restores ids and edits: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    const rows = [row('1', 'A', 'One'), row('2', 'A', 'Two'), row('3', 'B', 'Three'), row('4', null, 'Four')];
    tenant.sync(rows);
    tenant.edit('2', 'Ours');
    const before = { holders: tenant.holders('1', '2', '3', '4'), shown: tenant.active.map(({ id }) => id) };
    tenant.sync(rows, otherStrategy(strategy));
    const there = tenant.holders('1', '2', '3', '4');
    const plan = tenant.sync(rows, strategy);
    t.same(tenant.holders('1', '2', '3', '4'), before.holders);
    t.same(
      tenant.active.map(({ id }) => id),
      before.shown,
    );
    t.equal(tenant.company(tenant.holder('2')).displayName, 'Ours');
    t.equal(plan.counts.created, 0);
    tenant.sync(rows, otherStrategy(strategy));
    t.same(tenant.holders('1', '2', '3', '4'), there, 'the second switch gives the same ids as the first');
    t.end();
  });

  t.test(`a second sync changes nothing: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy, 'A');
    const rows = [row('1', 'A'), row('2', 'A'), row('3', null, null), row('4', 'B', 'Gone', { isDeleted: true })];
    tenant.sync(rows);
    const plan = tenant.sync(rows);
    t.same(kindsOf(plan), []);
    t.same(plan.newVendorCompanies, []);
    t.equal(plan.counts.unchanged, tenant.snapshot.companies.length);
    t.end();
  });

  t.test(`a license that is inactive when first listed is filtered: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    const plan = tenant.sync([row('1', 'A', 'x', { isDeleted: true }), row('2', 'A')]);
    t.equal(plan.filtered.length, 1);
    t.equal(tenant.snapshot.licenses.length, 1);
    tenant.sync([row('1', 'A'), row('2', 'A')]);
    t.ok(tenant.license('1').active, 'it is added when it becomes active');
    t.end();
  });

  // -------------------------------------------------------------------------------------------------------------------
  // Missing licenses, labs, own company

  t.test(`missing and deleted licenses stay attached: ${strategy}`, (t) => {
    const gone: readonly (readonly [string, readonly Vendor[]])[] = [
      ['missing', []],
      ['deleted', [row('1', 'A', 'Mesa', { isDeleted: true, transactionId: '50' })]],
    ];
    for (const [how, rows] of gone) {
      const tenant = new Tenant(strategy);
      const other = row('9', 'Z', 'Other');
      tenant.sync([row('1', 'A'), other]);
      tenant.edit('1', 'Ours');
      const { id, companyId } = tenant.license('1');
      const plan = tenant.sync([...rows, other]);
      const archivedAt = tenant.at;
      t.match(tenant.license('1'), { id, companyId, active: false }, `${how}: stays attached, inactive`);
      t.match(tenant.company(companyId), { archivedDatetime: archivedAt, editedName: 'Ours' }, 'archived, not deleted');
      t.same(kindsOf(plan), ['company.archived', 'license.deactivated']);
      t.equal(plan.impact.removed, 1);
      tenant.sync([...rows, other]);
      t.equal(tenant.company(companyId).archivedDatetime, archivedAt, 'archived once');
      const back = tenant.sync([row('1', 'A', 'Mesa', { transactionId: '60' }), other]);
      t.match(
        tenant.license('1'),
        { id, companyId, active: true, missingSinceDatetime: null },
        'returns to its company',
      );
      t.match(tenant.company(companyId), { archivedDatetime: null, editedName: 'Ours', displayName: 'Ours' });
      t.same(kindsOf(back), ['company.reactivated', 'license.reactivated']);
    }
    t.end();
  });

  t.test(`missing_since is set once: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    tenant.sync([row('1', 'A'), row('2', 'A')]);
    tenant.sync([row('2', 'A')]);
    const since = tenant.at;
    t.equal(tenant.license('1').missingSinceDatetime, since);
    tenant.sync([row('2', 'A')]);
    t.equal(tenant.license('1').missingSinceDatetime, since);
    t.end();
  });

  t.test(`labs are added only if labs are included: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    const rows = [row('1', 'A', 'Lab', { isLab: true, activities: ['lab'] }), row('2', 'B')];
    t.equal(tenant.sync(rows).filtered.length, 1);
    t.equal(tenant.snapshot.licenses.length, 1);
    tenant.includeLabs = true;
    tenant.sync(rows);
    const id = tenant.holder('1');
    t.ok(tenant.isActive(id));
    tenant.includeLabs = false;
    t.equal(tenant.sync(rows).impact.removed, 1, 'excluding labs deactivates them');
    t.equal(tenant.holder('1'), id);
    t.notOk(tenant.isActive(id), 'archived');
    tenant.includeLabs = true;
    tenant.sync(rows);
    t.equal(tenant.holder('1'), id, 'restored');
    t.ok(tenant.isActive(id));
    t.end();
  });

  t.test(`companies that hold a license of the own UBI are flagged: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy, ' 06 ');
    const rows = [row('1', '06'), row('2', '06'), row('3', '6'), row('4', null)];
    const isOwn = (licenseNumber: string): boolean => tenant.company(tenant.holder(licenseNumber)).isOwnCompany;
    tenant.sync(rows);
    t.same(['1', '2', '3', '4'].map(isOwn), [true, true, false, false]);
    tenant.setOwnUbi('6');
    tenant.sync(rows);
    t.same(['1', '2', '3', '4'].map(isOwn), [false, false, true, false], 'updated when the own UBI changes');
    tenant.sync([row('1', '6', 'Mesa', { transactionId: '50' }), ...rows.slice(1)]);
    t.ok(isOwn('1'), 'updated when a license is bought');
    t.end();
  });

  t.test(`without an own UBI no company is flagged: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy, null);
    tenant.sync([row('1', null), row('2', 'A')]);
    t.notOk(tenant.active.some(({ isOwnCompany }) => isOwnCompany));
    t.end();
  });

  t.test(`when the own UBI changes, the flag of an archived company is updated: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy, 'A');
    tenant.sync([row('1', 'A'), row('2', 'B')]);
    const id = tenant.holder('1');
    tenant.sync([row('2', 'B')]);
    tenant.setOwnUbi('B');
    tenant.sync([row('2', 'B')]);
    t.notOk(tenant.company(id).isOwnCompany, 'it holds no license of B');
    t.end();
  });

  t.test(
    `when the own UBI changes, the flag of a manual company without active licenses is updated: ${strategy}`,
    (t) => {
      const tenant = new Tenant(strategy, 'A');
      const manual = tenant.addManual('Manual', '1');
      tenant.sync([row('1', 'A'), row('2', 'B')]);
      t.ok(tenant.company(manual).isOwnCompany);
      tenant.sync([row('2', 'B')]);
      tenant.setOwnUbi('B');
      tenant.sync([row('2', 'B')]);
      t.ok(tenant.isActive(manual), 'a manual company stays active');
      t.notOk(tenant.company(manual).isOwnCompany, 'it holds no license of B');
      t.end();
    },
  );

  // -------------------------------------------------------------------------------------------------------------------
  // Blank UBIs

  t.test(`a UBI that becomes blank and returns: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    const other = row('2', 'A', 'Other', { age: 20 });
    tenant.sync([row('1', 'A'), other]);
    const { companyId } = tenant.license('1');
    const plan = tenant.sync([row('1', '  ', 'Mesa', { transactionId: '50' }), other]);
    t.match(tenant.license('1'), { companyId, ubi: 'A', ubiKey: 'A', active: true }, 'a blank never replaces a UBI');
    t.same(plan.warnings, [{ code: 'ubi_turned_blank', licenseNumber: '1' }]);
    t.same(plan.counts.moved, 0);
    t.notOk(kindsOf(plan).some((kind) => kind.startsWith('company.')));
    const back = tenant.sync([row('1', 'A', 'Mesa', { transactionId: '60' }), other]);
    t.match(tenant.license('1'), { companyId, ubiKey: 'A' });
    t.same(back.warnings, []);
    t.notOk(kindsOf(back).includes('license.transferred'));
    t.end();
  });

  t.test(`a UBI that becomes blank and returns as another UBI is a sale: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    tenant.sync([row('1', 'A')]);
    tenant.sync([row('1', null, 'Mesa', { transactionId: '50' })]);
    const plan = tenant.sync([row('1', 'B', 'Mesa', { transactionId: '60' })]);
    t.same(
      plan.licenses.map(({ kind }) => kind),
      ['license.transferred'],
    );
    t.equal(tenant.license('1').ubiKey, 'B');
    t.end();
  });

  t.test(`a tenant that joins after a UBI turned blank plans like older tenants: ${strategy}`, (t) => {
    const lists = [
      [row('1', 'A', 'Mesa', { age: 1 }), row('2', 'A', 'Mesa', { age: 2 })],
      [row('1', 'A', 'Mesa', { age: 1 }), row('2', ' ', 'Mesa', { age: 2, transactionId: '50' })],
    ] as const;
    const [older, newer] = [new Tenant(strategy), new Tenant(strategy)];
    for (const rows of lists) older.sync(rows);
    newer.lastUbis.set('2', { ubi: 'A', ubiKey: 'A' });
    t.same(newer.sync(lists[1]).warnings, [{ code: 'ubi_turned_blank', licenseNumber: '2' }]);
    t.match(newer.license('2'), { ubi: 'A', ubiKey: 'A' });
    const isTogether = ({ companyId }: LicenseState, other: LicenseState): boolean => companyId === other.companyId;
    t.equal(isTogether(newer.license('1'), newer.license('2')), isTogether(older.license('1'), older.license('2')));
    t.same(kindsOf(newer.sync(lists[1])), [], 'the next sync changes nothing');
    older.lastUbis.set('2', { ubi: 'B', ubiKey: 'B' });
    const plan = older.sync(lists[1]);
    t.same(
      plan.licenses.map(({ kind }) => kind),
      ['license.transferred'],
      'a sale that the tenant missed before the UBI turned blank',
    );
    t.end();
  });

  t.test(`a first UBI is an update, not a transfer: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    const other = row('2', 'B');
    tenant.sync([row('1', null), other]);
    const { companyId } = tenant.license('1');
    const plan = tenant.sync([row('1', 'A', 'Mesa', { transactionId: '50' }), other]);
    t.same(
      plan.licenses.map(({ kind }) => kind),
      ['license.updated'],
    );
    t.equal(tenant.holder('1'), companyId, 'it keeps its company');
    t.equal(tenant.company(companyId).ubi, 'A');
    t.end();
  });

  t.test(`companies with the same name appear and disappear: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    const first = row('1', 'A', 'Mesa', { city: 'Taos' });
    tenant.sync([first]);
    const { id, companyId } = tenant.license('1');
    t.same(tenant.shown, ['Mesa']);
    const plan = tenant.sync([first, row('2', 'B', 'Mesa', { city: 'Gallup' })]);
    t.same(tenant.shown, ['Mesa – Gallup', 'Mesa – Taos'], 'the display name of the unchanged company changes too');
    t.same(plan.counts.updated, 1);
    t.equal(plan.impact.renamedCompanies, 0, 'not counted as a rename');
    tenant.sync([first, row('2', 'B', 'Mesa', { city: 'Gallup' }), row('3', 'C', 'Mesa', { city: 'Gallup' })]);
    t.same(tenant.shown, ['Mesa – 2', 'Mesa – 3', 'Mesa – Taos'], 'two in one city get their license numbers');
    tenant.sync([first]);
    t.same(tenant.shown, ['Mesa']);
    t.match(tenant.license('1'), { id, companyId });
    t.end();
  });

  t.test(`two licenses swap UBIs in one run: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    tenant.sync([row('1', 'A'), row('2', 'B', 'Other')]);
    const [first, second] = tenant.holders('1', '2') as [string, string];
    const swapped = [row('1', 'B', 'Mesa', { transactionId: '50' }), row('2', 'A', 'Other', { transactionId: '51' })];
    const plan = tenant.sync(swapped);
    const isGrouped = strategy === VENDOR;
    t.same(tenant.holders('1', '2'), isGrouped ? [second, first] : [first, second]);
    t.same(
      plan.licenses.map(({ kind }) => kind),
      ['license.transferred', 'license.transferred'],
    );
    t.equal(plan.counts.created, 0);
    t.equal(plan.counts.moved, isGrouped ? 2 : 0);
    t.same([tenant.company(first).ubi, tenant.company(second).ubi], isGrouped ? ['A', 'B'] : ['B', 'A']);
    tenant.sync(swapped, otherStrategy(strategy));
    t.equal(tenant.active.length, 2);
    tenant.sync([row('1', 'A', 'Mesa', { transactionId: '60' }), row('2', 'B', 'Other', { transactionId: '61' })]);
    tenant.sync([row('1', 'A'), row('2', 'B', 'Other')], strategy);
    t.same(tenant.holders('1', '2'), [first, second], 'swapping back and switching back restores the companies');
    t.end();
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Sales and switches

t.test('a sale with one_per_license, then switches in both directions', (t) => {
  const tenant = new Tenant(LICENSE);
  const [seller, buyer] = [row('1', 'A', 'Seller', { age: 1 }), row('3', 'B', 'Buyer', { age: 3 })];
  tenant.sync([seller, row('2', 'A', 'Site', { age: 2 }), buyer]);
  tenant.edit('2', 'Our site');
  const [one, two, three] = tenant.holders('1', '2', '3') as [string, string, string];
  const sold = [seller, row('2', 'B', 'Site', { age: 2, transactionId: '50' }), buyer];
  const plan = tenant.sync(sold);
  t.same(tenant.holders('1', '2', '3'), [one, two, three], 'its company keeps its id');
  t.equal(tenant.company(two).ubi, 'B', 'the company gets the new UBI');
  t.same(kindsOf(plan), ['company.updated', 'license.transferred']);
  t.equal(plan.counts.moved, 0);

  tenant.sync(sold, VENDOR);
  t.same(tenant.holders('1', '2', '3'), [one, two, two], 'B gets the own company of its oldest license, the sold one');
  t.match(tenant.company(three), { supersededBy: two, archivedDatetime: tenant.at });
  t.match(tenant.company(two), { editedName: 'Our site', displayName: 'Our site' });

  tenant.sync(sold, LICENSE);
  t.same(tenant.holders('1', '2', '3'), [one, two, three]);
  t.equal(tenant.company(three).supersededBy, null);
  tenant.sync(sold, VENDOR);
  t.same(tenant.holders('1', '2', '3'), [one, two, two]);
  t.end();
});

t.test('a sale with one_per_vendor, then switches in both directions', (t) => {
  const tenant = new Tenant(VENDOR);
  const [first, buyer] = [row('1', 'A', 'Seller', { age: 1 }), row('3', 'B', 'Buyer', { age: 3 })];
  tenant.sync([first, row('2', 'A', 'Site', { age: 2 }), buyer]);
  const [companyA, companyB] = tenant.holders('1', '3') as [string, string];
  const sold = [first, row('2', 'B', 'Site', { age: 2, transactionId: '50' }), buyer];
  const plan = tenant.sync(sold);
  t.same(
    tenant.holders('1', '2', '3'),
    [companyA, companyB, companyB],
    'the license moves to the company of the buyer',
  );
  t.same(
    plan.licenses.map(({ kind }) => kind),
    ['license.transferred'],
  );
  t.equal(plan.counts.moved, 1);
  t.equal(plan.impact.moved, 1);

  tenant.sync(sold, LICENSE);
  const own = tenant.holder('2');
  t.same(tenant.holders('1', '3'), [companyA, companyB], 'the first licenses of each keep its company');
  t.equal(countOf([companyA, companyB, own]), 3);
  tenant.sync(sold, VENDOR);
  t.same(tenant.holders('1', '2', '3'), [companyA, companyB, companyB]);
  t.equal(tenant.company(own).supersededBy, companyB);
  tenant.sync(sold, LICENSE);
  t.equal(tenant.holder('2'), own);
  t.end();
});

t.test(
  'the only license of a vendor is sold with one_per_vendor: the company can represent the vendor or the site',
  (t) => {
    const tenant = new Tenant(VENDOR);
    tenant.sync([row('1', 'A', 'Seller'), row('2', 'B', 'Buyer')]);
    const [companyA, companyB] = tenant.holders('1', '2') as [string, string];
    const sold = [row('1', 'B', 'Seller', { transactionId: '50' }), row('2', 'B', 'Buyer')];
    tenant.sync(sold);
    t.same(tenant.holders('1', '2'), [companyB, companyB]);
    t.match(tenant.company(companyA), { archivedDatetime: tenant.at, supersededBy: companyB });
    tenant.sync(sold, LICENSE);
    t.same(tenant.holders('1', '2'), [companyA, companyB], 'the sold site');
    t.equal(tenant.company(companyA).ubi, 'B');
    tenant.sync([...sold, row('3', 'A', 'Newcomer', { age: 70 })], VENDOR);
    t.equal(tenant.holder('3'), companyA, 'the company represents vendor A again when A has a license');
    t.same(tenant.holders('1', '2'), [companyB, companyB]);
    t.end();
  },
);

t.test('a license sold while missing returns to the buyer', (t) => {
  const tenant = new Tenant(VENDOR);
  const rest = [row('2', 'A', 'Rest', { age: 20 }), row('3', 'B', 'Buyer', { age: 30 })];
  tenant.sync([row('1', 'A'), ...rest]);
  tenant.sync(rest);
  const plan = tenant.sync([row('1', 'B', 'Mesa', { transactionId: '50' }), ...rest]);
  t.equal(tenant.holder('1'), tenant.holder('3'));
  t.same(
    plan.licenses.map(({ kind }) => kind),
    ['license.transferred'],
  );
  t.equal(plan.impact.moved, 0, 'no active license moved');
  t.end();
});

// ---------------------------------------------------------------------------------------------------------------------
// Grouped licenses

t.test('the first license of a vendor becomes missing and returns while grouped', (t) => {
  for (const start of STRATEGIES) {
    const tenant = new Tenant(start);
    const [first, second] = [row('1', 'A', 'Mesa', { age: 1 }), row('2', 'A', 'Mesa', { age: 2 })];
    tenant.sync([first, second]);
    tenant.sync([first, second], VENDOR);
    const vendor = tenant.holder('1');
    tenant.edit('1', 'Ours');
    const plan = tenant.sync([second]);
    t.same(tenant.holders('1', '2'), [vendor, vendor], 'the vendor company is recorded');
    t.ok(tenant.isActive(vendor));
    t.match(plan.counts, { created: 0, archived: 0, reactivated: 0, moved: 0 });
    tenant.sync([row('0', 'A', 'Older', { age: 0 }), second]);
    t.equal(tenant.holder('0'), vendor, 'an older license that is added later does not change it');
    tenant.sync([first, second]);
    t.same(tenant.holders('1', '2'), [vendor, vendor]);
    t.equal(tenant.company(vendor).displayName, 'Ours');
    tenant.sync([first, second], LICENSE);
    t.equal(tenant.holder('1'), vendor, 'it is still the own company of the first license');
  }
  t.end();
});

t.test('a license that becomes missing while grouped and returns after a switch gets its own company', (t) => {
  const tenant = new Tenant(LICENSE);
  const [first, second] = [row('1', 'A', 'One', { age: 1 }), row('2', 'A', 'Two', { age: 2 })];
  tenant.sync([first, second]);
  const [one, two] = tenant.holders('1', '2') as [string, string];
  tenant.sync([first, second], VENDOR);
  tenant.sync([first], VENDOR);
  tenant.sync([first], LICENSE);
  t.notOk(tenant.isActive(two));
  tenant.sync([first, second], LICENSE);
  t.same(tenant.holders('1', '2'), [one, two]);
  t.ok(tenant.isActive(two));
  t.end();
});

t.test('superseded_by is the company that now holds the license', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'One', { age: 1 }), row('2', 'A', 'Two', { age: 2 }), row('3', 'B', 'Three', { age: 3 })];
  tenant.sync(rows);
  const [one, two, three] = tenant.holders('1', '2', '3') as [string, string, string];
  tenant.sync(rows, VENDOR);
  t.match(tenant.company(two), { supersededBy: one, archivedDatetime: tenant.at });
  t.same([tenant.company(one).supersededBy, tenant.company(three).supersededBy], [null, null]);
  const archivedAt = tenant.at;
  tenant.sync([rows[0] as Vendor, row('2', 'B', 'Two', { age: 2, transactionId: '50' }), rows[2] as Vendor]);
  t.match(tenant.company(two), { supersededBy: three, archivedDatetime: archivedAt }, 'updated after a sale');
  tenant.sync(rows.slice(0, 2), LICENSE);
  t.match(
    tenant.company(three),
    { supersededBy: null, archivedDatetime: tenant.at },
    'null while the license is missing',
  );
  t.equal(tenant.company(two).supersededBy, null);
  t.end();
});

t.test('superseded_by stays while the successor still holds the license, active or not', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'One', { age: 1 }), row('2', 'A', 'Two', { age: 2 })];
  tenant.sync(rows);
  const [one, two] = tenant.holders('1', '2') as [string, string];
  tenant.sync(rows, VENDOR);
  tenant.sync(rows.slice(0, 1));
  t.match(tenant.company(two), { supersededBy: one }, 'its license is missing');
  t.same(kindsOf(tenant.sync([])), ['company.archived', 'license.deactivated'], 'all licenses are missing');
  t.match(tenant.company(two), { supersededBy: one });
  t.same(kindsOf(tenant.sync(rows)), ['company.reactivated', 'license.reactivated', 'license.reactivated']);
  t.match(tenant.company(two), { supersededBy: one });
  t.end();
});

t.test('superseded_by of a vendor company that is no own company stays while the license is missing', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A')]);
  const sold = [row('1', 'B', 'Mesa', { transactionId: '50' })];
  tenant.sync(sold);
  const companyB = tenant.holder('1');
  tenant.sync(sold, LICENSE);
  tenant.sync([]);
  t.equal(tenant.company(companyB).supersededBy, tenant.holder('1'));
  t.end();
});

t.test('counts of a sync that changes licenses but no company', (t) => {
  const tenant = new Tenant(VENDOR);
  const [one, two, moved] = [
    row('1', 'A'),
    row('2', 'A', 'Mesa', { age: 20 }),
    row('2', 'A', 'Mesa', { age: 20, city: 'Hobbs', transactionId: '50' }),
  ];
  tenant.sync([one]);
  const none = { created: 0, updated: 0, archived: 0, reactivated: 0, adopted: 0, conflicts: 0, moved: 0 };
  const noLicenses = { licensesCreated: 0, licensesUpdated: 0, licensesDeactivated: 0, licensesReactivated: 0 };
  const cases: readonly [string, readonly Vendor[], Partial<SyncPlan['counts']>][] = [
    ['added', [one, two], { licensesCreated: 1 }],
    ['readdressed', [one, moved], { licensesUpdated: 1 }],
    ['gone', [one], { licensesDeactivated: 1 }],
    ['back', [one, moved], { licensesReactivated: 1 }],
    ['the same', [one, moved], {}],
  ];
  for (const [what, rows, counts] of cases) {
    t.same(tenant.sync(rows).counts, { ...none, ...noLicenses, unchanged: 1, ...counts }, what);
  }
  t.end();
});

t.test('an adopted company is not counted as unchanged too', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.addManual('Manual', '2');
  const rows = [row('1', 'A', 'Mesa', { age: 1 }), row('2', 'A', 'Mesa', { age: 2 })];
  tenant.sync(rows);
  const plan = tenant.sync(rows, VENDOR);
  t.match(plan.counts, { adopted: 1, archived: 1, updated: 0, unchanged: 0 });
  t.equal(plan.companyCount, 2);
  t.match(tenant.sync(rows).counts, { adopted: 0, unchanged: 2 });
  t.end();
});

t.test('superseded_by of a vendor company that is no own company: the company that holds a license of its UBI', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A')]);
  const own = tenant.holder('1');
  const sold = [row('1', 'B', 'Mesa', { transactionId: '50' })];
  tenant.sync(sold);
  const companyB = tenant.holder('1');
  t.not(companyB, own);
  tenant.sync(sold, LICENSE);
  t.equal(tenant.holder('1'), own);
  t.match(tenant.company(companyB), { archivedDatetime: tenant.at, supersededBy: own });
  t.end();
});

t.test('superseded_by is null for a vendor whose last license is missing, even if another license was sold', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A', 'One', { age: 1 }), row('2', 'A', 'Two', { age: 2 }), row('3', 'B', 'Three')]);
  const [seller, buyer] = tenant.holders('1', '3') as [string, string];
  const sold = [row('1', 'B', 'One', { age: 1, transactionId: '50' }), row('3', 'B', 'Three')];
  tenant.sync([...sold, row('2', 'A', 'Two', { age: 2 })]);
  t.same(tenant.holders('1', '2'), [buyer, seller]);
  const plan = tenant.sync(sold);
  t.match(tenant.company(seller), { archivedDatetime: tenant.at, supersededBy: null });
  const archived = plan.companies.find(({ after }) => after.id === seller);
  t.equal(archived && toReasons(plan).ofCompany(archived), 'vanished');
  tenant.sync([...sold, row('2', 'A', 'Two', { age: 2 })]);
  t.ok(tenant.isActive(seller), 'reactivated when the license returns');
  t.end();
});

t.test('superseded_by of a missing license is the same after switching and switching back', (t) => {
  const rows = [row('1', 'A', 'One', { age: 1 }), row('2', 'A', 'Two', { age: 2 })];
  const findSuccessor = (switches: readonly Strategy[]): string | null => {
    const tenant = new Tenant(LICENSE);
    tenant.sync(rows);
    const one = tenant.holder('1');
    for (const strategy of switches) tenant.sync(rows, strategy);
    tenant.sync(rows.slice(1));
    return tenant.company(one).supersededBy;
  };
  t.equal(findSuccessor([]), null, 'no company holds license 1');
  t.equal(findSuccessor([VENDOR, LICENSE]), null, 'also not after the switches');
  t.end();
});

// ---------------------------------------------------------------------------------------------------------------------
// Names and edits

t.test('the name of a vendor company is the most frequent name, ties by the oldest license', (t) => {
  const cases: readonly (readonly [string, readonly Vendor[], string])[] = [
    [
      'the most frequent',
      [row('1', 'A', 'Old', { age: 1 }), row('2', 'A', 'Often', { age: 2 }), row('3', 'A', 'Often', { age: 3 })],
      'Often',
    ],
    ['ties by age', [row('1', 'A', 'Recent', { age: 100 }), row('2', 'A', 'Old', { age: 99 })], 'Old'],
    [
      'ties by the oldest license with the name',
      [
        row('1', 'A', 'X', { age: 1 }),
        row('2', 'A', 'Y', { age: 2 }),
        row('3', 'A', 'Y', { age: 3 }),
        row('4', 'A', 'X', { age: 4 }),
      ],
      'X',
    ],
    ['then by license number', [row('2', 'A', 'Second'), row('1', 'A', 'First')], 'First'],
    [
      'blank names are ignored',
      [row('1', 'A', null, { age: 1 }), row('2', 'A', null, { age: 2 }), row('3', 'A', 'Named', { age: 3 })],
      'Named',
    ],
    [
      'inactive licenses are ignored',
      [
        row('1', 'A', 'Gone', { isDeleted: true }),
        row('2', 'A', 'Gone', { isDeleted: true }),
        row('3', 'A', 'Here', { age: 99 }),
      ],
      'Here',
    ],
  ];
  for (const [why, rows, name] of cases) {
    const tenant = new Tenant(VENDOR);
    tenant.sync(rows.map((one) => ({ ...one, isDeleted: false })));
    const id = tenant.holder('1');
    tenant.sync(rows);
    t.equal(tenant.company(id).sourceName, name, why);
    t.ok(tenant.isActive(id), 'the company stays the same');
  }
  t.end();
});

t.test('a vendor company keeps its name when it buys sites', (t) => {
  const tenant = new Tenant(VENDOR);
  const own = row('1', 'B', 'Buyer', { age: 9 });
  const site = (number: string, ubi: string): Vendor =>
    row(number, ubi, 'Bought', { age: 1, transactionId: ubi === 'A' ? '1' : '50' });
  tenant.sync([own, site('2', 'A'), site('3', 'A'), site('4', 'A')]);
  const buyer = tenant.holder('1');
  const plan = tenant.sync([own, site('2', 'B'), site('3', 'B'), site('4', 'A')]);
  t.same(tenant.holders('2', '3'), [buyer, buyer]);
  t.equal(tenant.company(buyer).sourceName, 'Buyer', 'although two older licenses have another name');
  t.equal(plan.impact.renamedCompanies, 0);
  t.same(kindsOf(plan), ['license.transferred', 'license.transferred']);
  const rows = [own, site('2', 'B'), site('3', 'B'), site('4', 'A')];
  tenant.sync(rows, LICENSE);
  tenant.sync(rows, VENDOR);
  t.equal(tenant.company(buyer).sourceName, 'Buyer', 'also after switches');
  tenant.sync([row('1', 'B', 'Renamed', { age: 9, transactionId: '60' }), ...rows.slice(1)]);
  t.equal(tenant.company(buyer).sourceName, 'Renamed', 'its own license is renamed');
  tenant.sync([row('1', 'B', null, { age: 9, transactionId: '70' }), ...rows.slice(1)]);
  t.equal(tenant.company(buyer).sourceName, 'Bought', 'if its own licenses have no name, the bought ones vote');
  tenant.sync([own, ...rows.slice(1), row('5', 'B', 'Own', { age: 10 }), row('6', 'B', 'Own', { age: 11 })]);
  t.equal(tenant.company(buyer).sourceName, 'Own', 'new licenses of the buyer are its own');
  t.end();
});

t.test('licenses that are sold and sold back vote as before', (t) => {
  const tenant = new Tenant(VENDOR);
  const rows = [row('1', 'A', 'First', { age: 1 }), row('2', 'A', 'Second', { age: 2 }), row('3', 'B', 'Other')];
  tenant.sync(rows);
  const seller = tenant.holder('1');
  tenant.sync([row('1', 'B', 'First', { age: 1, transactionId: '50' }), ...rows.slice(1)]);
  t.equal(tenant.company(seller).sourceName, 'Second');
  t.equal(tenant.company(tenant.holder('3')).sourceName, 'Other');
  tenant.sync(rows);
  t.equal(tenant.company(seller).sourceName, 'First');
  t.end();
});

t.test('a vendor that gets another UBI keeps its name when it adds a license', (t) => {
  const tenant = new Tenant(VENDOR);
  const site = (number: string, ubi: string): Vendor =>
    row(number, ubi, 'Mesa', { transactionId: ubi === 'A' ? '1' : '50' });
  tenant.sync([site('1', 'A'), site('2', 'A')]);
  const rows = [site('1', 'B'), site('2', 'B')];
  tenant.sync(rows);
  tenant.sync([...rows, row('3', 'B', 'Recent', { age: 1 })]);
  t.equal(tenant.company(tenant.holder('1')).sourceName, 'Mesa', 'the first licenses of a UBI are its own');
  t.end();
});

for (const strategy of STRATEGIES) {
  t.test(`a renamed company stays the same company: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    tenant.sync([row('1', 'A', 'Old')]);
    const id = tenant.holder('1');
    const plan = tenant.sync([row('1', 'A', 'New', { transactionId: '50' })]);
    t.equal(tenant.holder('1'), id);
    t.match(tenant.company(id), { sourceName: 'New', displayName: 'New' });
    t.same(kindsOf(plan), ['company.updated', 'license.updated']);
    t.equal(plan.impact.renamedCompanies, 1);
    t.end();
  });

  t.test(`white space alone is no rename: ${strategy}`, (t) => {
    const tenant = new Tenant(strategy);
    tenant.sync([row('1', 'A', 'Green Leaf'), row('2', 'B', 'Green\u00a0 \tLeaf\n')]);
    t.equal(tenant.license('2').name, 'Green Leaf', 'a name has single spaces, and none at its ends');
    const spaced = [
      row('1', 'A', ' Green   Leaf', { transactionId: '50' }),
      row('2', 'B', 'Green Leaf', { transactionId: '51' }),
    ];
    const plan = tenant.sync(spaced);
    t.same(kindsOf(plan), [], 'nothing changes');
    t.equal(plan.impact.renamedCompanies, 0);
    t.equal(tenant.sync([row('1', 'A', ' \t', { transactionId: '60' })]).companies[0]?.after.sourceName, 'License 1');
    t.end();
  });

  t.test(
    `edited names win across syncs, switches, archiving and reactivation until they are cleared: ${strategy}`,
    (t) => {
      const tenant = new Tenant(strategy);
      const rows = [row('1', 'A', 'Mesa', { age: 1 }), row('2', 'A', 'Mesa', { age: 2 }), row('3', 'B', 'Other')];
      tenant.sync(rows);
      tenant.edit('1', 'Ours');
      const id = tenant.holder('1');
      const isOurs = (when: string): void => {
        t.match(tenant.company(id), { editedName: 'Ours', displayName: 'Ours' }, when);
      };
      tenant.sync(rows);
      isOurs('after a sync');
      const renamed = rows.map((one) => ({ ...one, name: 'Renamed', transactionId: '50' }));
      tenant.sync(renamed);
      isOurs('after a rename');
      t.equal(tenant.company(id).sourceName, 'Renamed', 'the source name is kept too');
      tenant.sync(renamed, otherStrategy(strategy));
      isOurs('after a switch');
      tenant.sync(renamed, strategy);
      isOurs('after the switch back');
      tenant.sync(renamed.slice(2));
      t.equal(tenant.company(id).editedName, 'Ours', 'while archived');
      t.notOk(tenant.isActive(id));
      tenant.sync(renamed);
      isOurs('after reactivation');
      tenant.edit('1', null);
      tenant.sync(renamed.slice(0, 2));
      t.match(tenant.company(id).displayName, /^Renamed/, 'cleared');
      t.end();
    },
  );
}

t.test('display names: the name, then the city, then the number, finally the id', (t) => {
  const shown = (strategy: Strategy, ...rows: Vendor[]): string[] => {
    const tenant = new Tenant(strategy);
    tenant.sync(rows);
    return tenant.shown;
  };
  t.same(shown(LICENSE, row('1', 'A', 'Mesa'), row('2', 'B', 'Other')), ['Mesa', 'Other']);
  t.same(shown(LICENSE, row('1', 'A', 'Mesa'), row('2', 'B', 'Mesa', { city: 'Gallup' })), [
    'Mesa – Gallup',
    'Mesa – Taos',
  ]);
  t.same(shown(LICENSE, row('1', 'A', 'Mesa'), row('2', 'A', 'Mesa')), ['Mesa – 1', 'Mesa – 2']);
  t.same(shown(VENDOR, row('1', 'A', 'Mesa'), row('2', 'A', 'Mesa'), row('3', 'B', 'Mesa'), row('4', 'B', 'Mesa')), [
    'Mesa – A',
    'Mesa – B',
  ]);
  t.same(shown(LICENSE, row('1', 'A', 'Mesa', { city: null }), row('2', 'A', 'Mesa', { city: null })), [
    'Mesa – 1',
    'Mesa – 2',
  ]);
  const tricky = shown(
    LICENSE,
    row('1', 'A', 'Mesa'),
    row('2', 'B', 'Mesa'),
    row('3', 'C', 'Mesa – 1'),
    row('4', 'D', 'Mesa – Taos'),
  );
  t.equal(countOf(tricky), 4, 'also if a name looks like another name with a suffix');
  t.end();
});

t.test('display names: a short id if nothing else distinguishes two companies', (t) => {
  const tenant = new Tenant(LICENSE);
  const ids = [tenant.addManual('Mesa', '1'), tenant.addManual('Mesa', '2')];
  tenant.sync([]);
  for (const id of ids) {
    const [name, shortId, ...more] = tenant.company(id).displayName.split(' – ');
    t.same([name, more], ['Mesa', []]);
    t.ok(shortId !== undefined && shortId.length <= 8 && id.includes(shortId), `${shortId} is a short form of ${id}`);
  }
  t.equal(countOf(tenant.shown), 2);
  t.end();
});

t.test('display names: edited names count like names of the state', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'Mesa'), row('2', 'B', 'Other', { city: 'Gallup' })];
  tenant.sync(rows);
  tenant.edit('2', 'Mesa');
  tenant.sync(rows);
  t.same(tenant.shown, ['Mesa – Gallup', 'Mesa – Taos']);
  tenant.edit('2', null);
  tenant.sync(rows);
  t.same(tenant.shown, ['Mesa', 'Other']);
  t.end();
});

t.test('display names: archived companies are ignored', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.sync([row('1', 'A', 'Mesa'), row('2', 'B', 'Mesa')]);
  tenant.sync([row('1', 'A', 'Mesa')]);
  t.same(tenant.shown, ['Mesa']);
  t.end();
});

// ---------------------------------------------------------------------------------------------------------------------
// Manual companies

t.test('manual: a manually added license stays with its company with either strategy', (t) => {
  for (const strategy of STRATEGIES) {
    const tenant = new Tenant(strategy);
    const manual = tenant.addManual('Manual', ' 1 ');
    const rows = [row('1', 'A', 'Mesa'), row('2', 'B', 'Other')];
    tenant.sync(rows);
    t.equal(tenant.holder('1'), manual);
    t.match(tenant.company(manual), { origin: 'manual', editedName: 'Manual', displayName: 'Manual', ubi: 'A' });
    tenant.sync(rows, otherStrategy(strategy));
    t.equal(tenant.holder('1'), manual);
    tenant.sync([row('1', 'B', 'Mesa', { transactionId: '50' }), row('2', 'B', 'Other')]);
    t.equal(tenant.holder('1'), manual, 'also when it is sold');
    t.equal(tenant.snapshot.companies.filter(({ origin }) => origin === 'manual').length, 1);
  }
  t.end();
});

t.test('manual: the only manual company of a UBI without a vendor company becomes its vendor company', (t) => {
  const tenant = new Tenant(VENDOR);
  const manual = tenant.addManual('Manual', '2');
  const rows = [row('1', 'A', 'Mesa', { age: 1 }), row('2', 'A', 'Mesa', { age: 2 }), row('3', 'B', 'Other')];
  const plan = tenant.sync(rows);
  t.same(tenant.holders('1', '2'), [manual, manual], 'although the other license is older');
  t.match(plan.counts, { adopted: 1, conflicts: 0, created: 1 });
  t.equal(tenant.company(manual).displayName, 'Manual', 'the company keeps its name');
  t.match(tenant.sync(rows).counts, { adopted: 0, conflicts: 0 });
  tenant.sync(rows, LICENSE);
  t.equal(tenant.holder('2'), manual);
  t.not(tenant.holder('1'), manual, 'with one_per_license: only its manually added license');
  tenant.sync(rows, VENDOR);
  t.same(tenant.holders('1', '2'), [manual, manual]);
  t.end();
});

t.test('manual: a manual company for a UBI with a vendor company is a conflict', (t) => {
  const tenant = new Tenant(VENDOR);
  const old = [row('1', 'A', 'Mesa', { age: 1 })];
  tenant.sync(old);
  const vendor = tenant.holder('1');
  const manual = tenant.addManual('Manual', '2');
  const rows = [...old, row('2', 'A', 'Mesa', { age: 2 }), row('3', 'A', 'Mesa', { age: 3 })];
  const plan = tenant.sync(rows);
  t.same(tenant.holders('1', '2', '3'), [vendor, manual, vendor]);
  t.equal(plan.counts.conflicts, 1);
  t.same(
    plan.conflicts.map(({ ubiKey, companyIds }) => ({ ubiKey, companyIds: [...companyIds].sort() })),
    [{ ubiKey: 'A', companyIds: [vendor, manual].sort() }],
  );
  t.equal(tenant.sync(rows).counts.conflicts, 1, 'until a user decides');
  t.end();
});

t.test('manual: two manual companies of one UBI are a conflict', (t) => {
  const tenant = new Tenant(VENDOR);
  const [left, right] = [tenant.addManual('Left', '1'), tenant.addManual('Right', '2')];
  const plan = tenant.sync([row('1', 'A', 'Mesa', { age: 1 }), row('2', 'A'), row('3', 'A')]);
  t.same(tenant.holders('1', '2'), [left, right]);
  const vendor = tenant.holder('3');
  t.equal(countOf([left, right, vendor]), 3, 'the other license gets a third company');
  t.match(plan.counts, { adopted: 0, conflicts: 1 });
  t.same([...(plan.conflicts[0]?.companyIds ?? [])].sort(), [left, right, vendor].sort());
  t.end();
});

t.test('manual: a UBI with only two manual companies has no vendor company', (t) => {
  const tenant = new Tenant(VENDOR);
  const manual = [tenant.addManual('Left', '1'), tenant.addManual('Right', '2')];
  const plan = tenant.sync([row('1', 'A'), row('2', 'A')]);
  t.same(tenant.holders('1', '2'), manual);
  t.same(tenant.snapshot.vendorCompanies, []);
  t.same(plan.conflicts, [{ ubiKey: 'A', companyIds: manual }]);
  t.end();
});

t.test('manual: a reverted decision leaves no trace', (t) => {
  const rows = [row('1', 'A', 'One', { age: 1 }), row('2', 'A', 'Two', { age: 2 })];
  const holdersOf = (isReverted: boolean): { holders: string[]; conflicts: number } => {
    const tenant = new Tenant(VENDOR);
    const companyIds = [tenant.addManual('First', '1'), tenant.addManual('Second', '2')];
    const decide = (companyId: string | null): void => {
      tenant.snapshot = { ...tenant.snapshot, decisions: [{ ubiKey: 'A', companyIds, companyId }] };
    };
    tenant.sync(rows);
    if (isReverted) {
      decide(companyIds[0] as string);
      tenant.sync(rows);
      t.same(tenant.holders('1', '2'), [companyIds[0], companyIds[0]], 'as decided');
    }
    decide(null);
    const plan = tenant.sync([...rows, row('3', 'A', 'Three', { age: 3 })]);
    t.notOk(companyIds.includes(tenant.holder('3')), 'a license that was not added manually gets another company');
    t.same(tenant.snapshot.vendorCompanies, [{ ubiKey: 'A', companyId: tenant.holder('3') }]);
    return {
      holders: tenant.holders('1', '2').map((id) => tenant.company(id).editedName ?? ''),
      conflicts: plan.counts.conflicts,
    };
  };
  t.same(holdersOf(true), holdersOf(false));
  t.end();
});

t.test('manual: no conflict if there is only one company', (t) => {
  const tenant = new Tenant(VENDOR);
  const manual = tenant.addManual('Manual', '1');
  tenant.sync([row('1', 'A'), row('2', 'B', 'Free')]);
  t.same(tenant.snapshot.vendorCompanies[0], { ubiKey: 'A', companyId: manual });
  tenant.snapshot = {
    ...tenant.snapshot,
    licenses: tenant.snapshot.licenses.map((license) =>
      license.licenseKey === keyOf('2') ? { ...license, namedByCompanyId: manual, companyId: manual } : license,
    ),
  };
  const plan = tenant.sync([row('1', 'A'), row('2', 'C', 'Sold', { transactionId: '50' })]);
  t.same([tenant.holder('2'), plan.conflicts], [manual, []], 'no other company claims C');
  t.end();
});

t.test('the feed reports a new company before another one is superseded by it', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'x', { age: 1 }), row('2', 'B', 'x', { age: 2 })];
  tenant.sync(rows);
  tenant.sync(rows, VENDOR);
  const plan = tenant.sync(rows.map((one) => ({ ...one, ubi: 'C', transactionId: '50' })));
  t.same(
    plan.companies.map(({ kind }) => kind),
    ['company.created', 'company.archived', 'company.archived'],
  );
  t.end();
});

t.test('guard: a rename counts as one company, with its licenses', (t) => {
  const tenant = new Tenant(VENDOR);
  const rows = Array.from({ length: 18 }, (_, index) => row(String(10 + index), 'A', index < 9 ? 'Old' : 'New'));
  tenant.sync([...rows, row('4', 'B', 'Other')]);
  const renamed = row('10', 'A', 'New', { transactionId: '50' });
  const plan = tenant.sync([renamed, ...rows.slice(1), row('4', 'B', 'Other')]);
  t.match(plan.impact, { activeCompanies: 2, renamedCompanies: 1, renamedLicenses: 18 });
  t.equal(findGuardViolation(plan.impact, 10), undefined, 'the rename of one site needs no review');
  const many = { ...plan.impact, activeCompanies: 40, renamedCompanies: 11 };
  t.match(findGuardViolation(many, 10), { text: /^11 companies of 18 licenses would be renamed\./ });
  t.equal(findGuardViolation({ ...many, activeCompanies: 110 }, 10), undefined, 'at most a tenth of the companies');
  const sold = Array.from({ length: 20 }, (_, index) => row(String(50 + index), `S${index}`, 'Old'));
  const other = new Tenant(LICENSE);
  other.sync(sold);
  const all = other.sync(sold.map((one) => ({ ...one, name: 'New', transactionId: '50' })));
  t.match(findGuardViolation(all.impact, 10), { text: /^20 companies of 20 licenses would be renamed\./ });
  t.equal(findGuardViolation(all.impact, 100), undefined);
  t.end();
});

t.test('manual: a company added after a merge decision is a new conflict', (t) => {
  const tenant = new Tenant(VENDOR);
  const rows = [row('1', 'A', 'Mesa', { age: 1 })];
  tenant.sync(rows);
  const vendor = tenant.holder('1');
  const first = tenant.addManual('First', '2');
  const two = [...rows, row('2', 'A', 'Mesa', { age: 2 })];
  const { companyIds = [] } = tenant.sync(two).conflicts[0] ?? {};
  tenant.snapshot = { ...tenant.snapshot, decisions: [{ ubiKey: 'A', companyIds, companyId: first }] };
  tenant.sync(two);
  t.same(tenant.holders('1', '2'), [first, first]);
  const later = tenant.addManual('Later', '3');
  const four = [...two, row('3', 'A', 'Mesa', { age: 3 }), row('4', 'A', 'Mesa', { age: 4 })];
  const plan = tenant.sync(four);
  t.same(tenant.holders('1', '2', '3', '4'), [first, first, later, first]);
  t.same(plan.conflicts, [{ ubiKey: 'A', companyIds: [first, vendor, later] }]);
  tenant.snapshot = {
    ...tenant.snapshot,
    decisions: [{ ubiKey: 'A', companyIds: [first, vendor, later], companyId: vendor }],
  };
  t.equal(tenant.sync(four).counts.conflicts, 0);
  t.same(tenant.holders('1', '2', '3', '4'), [vendor, vendor, vendor, vendor]);
  t.end();
});

t.test('manual: the losing companies of a merge decision are archived and superseded by the chosen one', (t) => {
  const tenant = new Tenant(VENDOR);
  const old = row('1', 'A', 'Mesa', { age: 1 });
  tenant.sync([old]);
  const vendor = tenant.holder('1');
  const manual = tenant.addManual('Manual', '2');
  const rows = [old, row('2', 'A', 'Mesa', { age: 2 }), row('3', 'B', 'Other')];
  const { companyIds = [] } = tenant.sync(rows).conflicts[0] ?? {};
  const decide = (companyId: string | null): void => {
    tenant.snapshot = { ...tenant.snapshot, decisions: [{ ubiKey: 'A', companyIds, companyId }] };
  };
  decide(vendor);
  const merged = tenant.sync(rows);
  t.match(tenant.company(manual), { archivedDatetime: tenant.at, supersededBy: vendor }, 'the manual company');
  const archived = merged.companies.find(({ after }) => after.id === manual);
  t.same([archived?.kind, archived && toReasons(merged).ofCompany(archived)], ['company.archived', 'merged']);
  tenant.sync([old, row('3', 'B', 'Other')]);
  t.equal(tenant.company(manual).supersededBy, vendor, 'also while its license is missing');
  tenant.sync(rows, LICENSE);
  t.match(tenant.company(manual), { archivedDatetime: null, supersededBy: null }, 'not with the other strategy');
  tenant.sync(rows, VENDOR);
  decide(manual);
  tenant.sync(rows);
  t.match(tenant.company(vendor), { supersededBy: manual }, 'the vendor company');
  t.ok(tenant.isActive(manual));
  tenant.sync([row('1', 'A', 'Mesa', { isDeleted: true, age: 1 }), ...rows.slice(1)]);
  t.match(tenant.company(vendor), { supersededBy: manual }, 'also if its license is inactive');
  decide(null);
  const apart = tenant.sync(rows);
  t.ok(tenant.isActive(vendor) && tenant.isActive(manual), 'a reverted decision leaves no trace');
  const back = apart.companies.find(({ after }) => after.id === vendor);
  t.equal(back && toReasons(apart).ofCompany(back), 'returned');
  t.end();
});

t.test('manual: a losing company with a license that the decision does not cover stays active', (t) => {
  const tenant = new Tenant(VENDOR);
  const old = row('1', 'A', 'Mesa', { age: 1 });
  tenant.sync([old]);
  const vendor = tenant.holder('1');
  const manual = tenant.addManual('Manual', '2');
  const pending: LicenseState = {
    ...tenant.license('2'),
    id: '0192ffff-0000-7000-8000-00000000000e',
    licenseKey: '9',
    licenseNumber: '9',
  };
  tenant.snapshot = { ...tenant.snapshot, licenses: [...tenant.snapshot.licenses, pending] };
  const rows = [old, row('2', 'A', 'Mesa', { age: 2 })];
  const { companyIds = [] } = tenant.sync(rows).conflicts[0] ?? {};
  tenant.snapshot = { ...tenant.snapshot, decisions: [{ ubiKey: 'A', companyIds, companyId: vendor }] };
  tenant.sync(rows);
  t.equal(tenant.holder('2'), vendor);
  t.ok(tenant.isActive(manual), 'it waits for its other license');
  tenant.sync([...rows, row('9', 'A', 'Mesa', { age: 9 })]);
  t.match(tenant.company(manual), { archivedDatetime: tenant.at, supersededBy: vendor });
  t.end();
});

t.test('manual: a company without active licenses stays active', (t) => {
  const tenant = new Tenant(VENDOR);
  const manual = tenant.addManual('Manual', '1');
  tenant.sync([row('2', 'B')]);
  t.ok(tenant.isActive(manual), 'before its license is listed');
  t.equal(tenant.license('1').missingSinceDatetime, null, 'its license is not missing yet');
  tenant.sync([row('1', 'A'), row('2', 'B')]);
  tenant.sync([row('2', 'B')]);
  t.ok(tenant.isActive(manual), 'after its license became missing');
  t.match(tenant.license('1'), { companyId: manual, active: false, namedByCompanyId: manual });
  t.end();
});

t.test('manual: a license of an active company cannot be added', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.sync([row('1', 'A')]);
  t.throws(() => tenant.addManual('Manual', '1'), /taken/);
  t.end();
});

// ---------------------------------------------------------------------------------------------------------------------
// Counts

t.test('counts: every company is one of created, updated, unchanged, archived, reactivated', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.sync([row('1', 'A', 'a'), row('2', 'B', 'b'), row('3', 'C', 'c'), row('4', 'D', 'd')]);
  tenant.sync([row('1', 'A', 'a'), row('2', 'B', 'b'), row('3', 'C', 'c')]);
  const plan = tenant.sync([
    row('1', 'A', 'a'),
    row('2', 'B', 'renamed', { transactionId: '50' }),
    row('4', 'D', 'd'),
    row('5', 'E', 'e'),
    row('5', 'E', 'e'),
    row('6', 'F', 'f', { isDeleted: true }),
  ]);
  t.same(plan.counts, {
    created: 1,
    updated: 1,
    unchanged: 1,
    archived: 1,
    reactivated: 1,
    adopted: 0,
    licensesCreated: 1,
    licensesUpdated: 1,
    licensesDeactivated: 1,
    licensesReactivated: 1,
    moved: 0,
    conflicts: 0,
  });
  t.equal(plan.filtered.length, 1);
  t.same(plan.impact, {
    activeLicenses: 3,
    removed: 1,
    moved: 0,
    activeCompanies: 3,
    renamedCompanies: 1,
    renamedLicenses: 1,
  });
  t.end();
});

t.test('counts: an empty list deactivates all licenses', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A'), row('2', 'A'), row('3', 'B')]);
  const plan = tenant.sync([]);
  t.match(plan.counts, { created: 0, archived: 2, unchanged: 0, moved: 0 });
  t.match(plan.impact, { activeLicenses: 3, removed: 3, moved: 0, activeCompanies: 2, renamedCompanies: 0 });
  t.equal(tenant.snapshot.companies.length, 2, 'archived, never deleted');
  t.end();
});

t.test('counts: a switch counts moved licenses', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A'), row('2', 'A'), row('3', 'A'), row('4', 'B')];
  tenant.sync(rows);
  const plan = tenant.sync(rows, VENDOR);
  t.match(plan.counts, { created: 0, archived: 2, moved: 2 });
  t.match(plan.impact, { activeLicenses: 4, removed: 0, moved: 2, activeCompanies: 4, renamedCompanies: 0 });
  t.same(
    plan.licenses.map(({ kind, after }) => [kind, after.licenseKey]),
    [
      ['license.moved', '2'],
      ['license.moved', '3'],
    ],
  );
  t.end();
});

// ---------------------------------------------------------------------------------------------------------------------
// Reasons

/** The steps of a plan as lines: `kind id-or-number reason`. */
function toReasonLines(plan: SyncPlan, nameOfCompany: (id: string) => string): string[] {
  const reasons = toReasons(plan);
  return [
    ...plan.companies.map((step) => `${step.kind} ${nameOfCompany(step.after.id)} ${reasons.ofCompany(step)}`),
    ...plan.licenses.map((step) => `${step.kind} ${step.after.licenseNumber} ${reasons.ofLicense(step)}`),
  ].sort();
}

t.test('reasons: new, renamed, sold, missing and returned', (t) => {
  const tenant = new Tenant(VENDOR, 'Z');
  const names = new Map<string, string>();
  const syncLines = (rows: readonly Vendor[], strategy?: Strategy): string[] => {
    const plan = tenant.sync(rows, strategy);
    for (const { id } of tenant.snapshot.companies) if (!names.has(id)) names.set(id, `#${names.size + 1}`);
    return toReasonLines(plan, (id) => names.get(id) ?? '?');
  };
  const a = (options: RowOptions = {}): Vendor => row('1', 'A', 'Alpha', { age: 1, ...options });
  const b = (options: RowOptions = {}): Vendor => row('2', 'A', 'Alpha', { age: 2, ...options });
  const c = (options: RowOptions = {}): Vendor => row('3', 'C', 'Gamma', { age: 0, ...options });
  t.same(syncLines([a(), b(), c()]), [
    'company.created #1 first_seen',
    'company.created #2 first_seen',
    'license.created 1 first_seen',
    'license.created 2 first_seen',
    'license.created 3 first_seen',
  ]);
  const later = { transactionId: '90' };
  t.same(syncLines([a({ ...later, name: 'Beta' }), b({ ...later, name: 'Beta' }), c()]), [
    'company.updated #1 renamed',
    'license.updated 1 details_changed',
    'license.updated 2 details_changed',
  ]);
  t.same(syncLines([a(), b(), c()]).length, 3, 'renamed back');
  t.same(syncLines([a(), b({ ...later, ubi: 'C' }), c()]), ['license.transferred 2 sold']);
  t.same(syncLines([a(), b(), c()]), ['license.transferred 2 sold'], 'restored');
  t.same(syncLines([a(), c()]), ['license.deactivated 2 vanished']);
  t.same(syncLines([c()]), ['company.archived #1 vanished', 'license.deactivated 1 vanished']);
  t.same(syncLines([a(), b(), c()]), [
    'company.reactivated #1 returned',
    'license.reactivated 1 returned',
    'license.reactivated 2 returned',
  ]);
  t.same(syncLines([a(), b({ isDeleted: true }), c()]), ['license.deactivated 2 deleted_by_state']);
  t.same(syncLines([a(), c()]), ['license.updated 2 vanished'], 'deleted, then missing');
  t.same(syncLines([a(), b({ isDeleted: true }), c()]), ['license.updated 2 returned'], 'listed again, still deleted');
  t.same(syncLines([a(), b(), c()]), ['license.reactivated 2 returned']);
  t.same(syncLines([a(), b({ isLab: true }), c()]), ['license.deactivated 2 labs_excluded']);
  t.same(syncLines([a(), b(), c()]), ['license.reactivated 2 returned']);
  t.same(syncLines([a(), b(), c()], LICENSE), [
    'company.created #3 split_out',
    'company.updated #1 display_name_changed',
    'license.moved 2 strategy',
  ]);
  t.same(syncLines([a(), b(), c()], VENDOR), [
    'company.archived #3 merged',
    'company.updated #1 display_name_changed',
    'license.moved 2 strategy',
  ]);
  t.same(syncLines([a(), b(), c()], LICENSE), [
    'company.reactivated #3 split_out',
    'company.updated #1 display_name_changed',
    'license.moved 2 strategy',
  ]);
  tenant.setOwnUbi('C');
  t.same(syncLines([a(), b(), c()]), ['company.updated #2 own_ubi_changed']);
  t.same(syncLines([a(), b(), c({ ...later, ubi: 'D' })]), [
    'company.updated #2 new_ubi',
    'license.transferred 3 sold',
  ]);
  t.end();
});

/** The reasons of one sync after another: `kind name-or-number reason`, in any order. */
function reasonsOf(tenant: Tenant, rows: readonly Vendor[], strategy?: Strategy): string[] {
  return toReasonLines(tenant.sync(rows, strategy), (id) => tenant.company(id).sourceName ?? 'manual');
}

t.test('reasons: an ordinary sale is sold by one company and bought by another, never a merge or a split', (t) => {
  const tenant = new Tenant(VENDOR);
  const site = (ubi: string): Vendor => row('1', ubi, 'Site', { age: 2 });
  const rest = [row('2', 'B', 'Buyer', { age: 1 })];
  tenant.sync([site('A'), ...rest]);
  t.same(reasonsOf(tenant, [site('B'), ...rest]), ['company.archived Site sold', 'license.transferred 1 sold']);
  t.same(reasonsOf(tenant, [site('C'), ...rest]), [
    'company.created Site bought',
    'company.updated Site successor_changed',
    'license.transferred 1 sold',
  ]);
  t.same(reasonsOf(tenant, [site('A'), ...rest]), [
    'company.archived Site sold',
    'company.reactivated Site bought',
    'license.transferred 1 sold',
  ]);
  const alone = new Tenant(LICENSE);
  alone.sync([site('A'), ...rest]);
  t.same(
    reasonsOf(alone, [{ ...site('B'), name: 'New owner' }, ...rest]),
    ['company.updated New owner new_ubi', 'license.transferred 1 sold'],
    'with one_per_license, the company has a new UBI, which matters more than a new name',
  );
  t.end();
});

t.test('reasons: a company whose name changes because licenses join or leave is not renamed', (t) => {
  const tenant = new Tenant(VENDOR);
  const old = row('1', 'A', 'Old', { age: 1 });
  const joining = [row('2', 'A', 'Often', { age: 2 }), row('3', 'A', 'Often', { age: 3 })];
  const buyer = row('9', 'B', 'Buyer', { age: 9 });
  tenant.sync([old, buyer]);
  t.same(reasonsOf(tenant, [old, ...joining, buyer]), [
    'company.updated Often joined',
    'license.created 2 first_seen',
    'license.created 3 first_seen',
  ]);
  t.same(reasonsOf(tenant, [old, ...joining.slice(1), buyer]), [
    'company.updated Old vanished',
    'license.deactivated 2 vanished',
  ]);
  t.same(reasonsOf(tenant, [old, ...joining, buyer]), [
    'company.updated Often returned',
    'license.reactivated 2 returned',
  ]);
  const sold = joining.map((one) => ({ ...one, ubi: 'B', transactionId: '50' }));
  t.ok(reasonsOf(tenant, [old, ...sold, buyer]).includes('company.updated Old sold'));
  tenant.sync([old, ...joining, buyer]);
  const split = reasonsOf(tenant, [old, ...joining, buyer], LICENSE);
  t.ok(split.includes('company.updated Old left'), 'in a switch, the licenses left it');
  t.ok(split.includes('company.created Often split_out'));
  const merged = reasonsOf(tenant, [old, ...joining, buyer], VENDOR);
  t.ok(merged.includes('company.updated Often joined'), 'in a switch, the licenses joined it');
  t.ok(merged.includes('company.archived Often merged'));
  t.end();
});

t.test('reasons: a new license of a vendor whose company was archived joins it', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A', 'Alpha')]);
  t.same(reasonsOf(tenant, [row('1', 'A', 'Alpha', { isDeleted: true })]), [
    'company.archived Alpha deleted_by_state',
    'license.deactivated 1 deleted_by_state',
  ]);
  t.same(reasonsOf(tenant, [row('1', 'A', 'Alpha', { isDeleted: true }), row('2', 'A', 'Alpha')]), [
    'company.reactivated Alpha joined',
    'license.created 2 first_seen',
  ]);
  t.end();
});

t.test('reasons: a change of ages or of the spelling of a UBI is neither a rename nor a sale', (t) => {
  const tenant = new Tenant(VENDOR);
  const rows = [row('1', 'A', 'One', { age: 1 }), row('2', 'A', 'Two', { age: 2 })];
  tenant.sync(rows);
  t.same(reasonsOf(tenant, [row('1', 'A', 'One', { age: 3 }), rows[1] as Vendor]), [
    'company.updated Two details_changed',
    'license.updated 1 details_changed',
  ]);
  t.same(reasonsOf(tenant, [row('1', 'A', 'One', { age: 3 }), row('2', ' A', 'Two', { age: 2 })]), [
    'company.updated Two details_changed',
    'license.updated 2 details_changed',
  ]);
  t.end();
});

t.test('reasons: a company becomes an own company because a license joined it', (t) => {
  const tenant = new Tenant(LICENSE, 'A');
  const first = tenant.addManual('Manual', '2');
  tenant.snapshot = {
    ...tenant.snapshot,
    licenses: [
      ...tenant.snapshot.licenses,
      { ...tenant.license('2'), id: '0192ffff-0000-7000-8000-00000000000e', licenseKey: '3', licenseNumber: '3' },
    ],
  };
  tenant.sync([row('2', 'B')]);
  const lines = reasonsOf(tenant, [row('2', 'B'), row('3', 'A')]);
  t.ok(tenant.company(first).isOwnCompany);
  t.same(lines, ['company.updated manual joined', 'license.reactivated 3 first_listed']);
  t.end();
});

t.test('reasons: a first UBI, a decision, a new successor', (t) => {
  const tenant = new Tenant(VENDOR);
  const old = row('1', 'A', 'Alpha', { age: 1 });
  tenant.sync([old, row('2', null, 'Blank', { age: 2 })]);
  const reported = tenant.sync([old, row('2', 'A', 'Blank', { age: 2, transactionId: '50' })]);
  const reasons = toReasons(reported);
  t.same(
    reported.licenses.map((step) => reasons.ofLicense(step)),
    ['new_ubi'],
  );
  t.same(
    reported.companies.map((step) => [step.kind, reasons.ofCompany(step)]),
    [['company.archived', 'new_ubi']],
  );
  const manual = tenant.addManual('Manual', '9');
  const rows = [old, row('2', 'A', 'Blank', { age: 2, transactionId: '50' }), row('9', 'A', 'Nine', { age: 9 })];
  const plan = tenant.sync(rows);
  t.same(
    plan.licenses.map((step) => toReasons(plan).ofLicense(step)),
    ['first_listed'],
  );
  const [conflict] = plan.conflicts;
  t.ok(conflict?.companyIds.includes(manual));
  const companyIds = conflict?.companyIds ?? [];
  tenant.snapshot = { ...tenant.snapshot, decisions: [{ ubiKey: 'A', companyIds, companyId: tenant.holder('1') }] };
  const merged = tenant.sync(rows);
  t.same(
    merged.licenses.map((step) => toReasons(merged).ofLicense(step)),
    ['decided_by_user'],
  );
  tenant.snapshot = { ...tenant.snapshot, decisions: [{ ubiKey: 'A', companyIds, companyId: manual }] };
  const other = tenant.sync(rows);
  t.same(
    other.licenses.map((step) => toReasons(other).ofLicense(step)),
    ['decided_by_user', 'decided_by_user', 'decided_by_user'],
    'also for licenses that were not added manually',
  );
  const blank = other.companies.find(({ after }) => after.sourceName === 'Blank');
  t.equal(blank?.after.supersededBy, manual);
  t.equal(blank && toReasons(other).ofCompany(blank), 'successor_changed');
  tenant.snapshot = { ...tenant.snapshot, decisions: [{ ubiKey: 'A', companyIds, companyId: null }] };
  const apart = tenant.sync(rows);
  t.ok(apart.licenses.length > 0);
  for (const step of apart.licenses) t.equal(toReasons(apart).ofLicense(step), 'decided_by_user', 'after keep_apart');
  for (const strategy of [LICENSE, VENDOR]) {
    const switched = tenant.sync(rows, strategy);
    t.ok(switched.licenses.length > 0);
    for (const step of switched.licenses)
      t.equal(toReasons(switched).ofLicense(step), 'strategy', 'a switch is not a decision');
  }
  t.end();
});

t.test('explanations: the rule, the rejected companies, and the candidates for a vendor company', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'Alpha', { age: 2 }), row('2', 'A', 'Alpha', { age: 1 }), row('3', null, 'Blank')];
  tenant.sync(rows);
  const [own1, own2, own3] = tenant.holders('1', '2', '3') as [string, string, string];
  const explain = (number: string, strategy: Strategy, companyId: string | null = null) =>
    explainHolding({
      license: tenant.license(number),
      strategy,
      vendorCompanyId: tenant.snapshot.vendorCompanies[0]?.companyId ?? null,
      decision: companyId === null ? undefined : { ubiKey: 'A', companyId, companyIds: [] },
    });
  t.same(explain('1', LICENSE), { rule: 'own_company', companyId: own1, rejected: [] });
  tenant.sync(rows, VENDOR);
  t.equal(tenant.holder('1'), own2, 'the company of the older license');
  t.same(explain('1', VENDOR), {
    rule: 'vendor_company',
    companyId: own2,
    rejected: [{ companyId: own1, reason: 'strategy_is_one_per_vendor' }],
  });
  t.same(explain('1', LICENSE).rejected, [{ companyId: own2, reason: 'strategy_is_one_per_license' }]);
  t.match(explain('3', VENDOR), { rule: 'no_ubi', companyId: own3 });
  t.same(explain('1', VENDOR, own1), {
    rule: 'decided_by_user',
    companyId: own1,
    rejected: [{ companyId: own2, reason: 'decided_by_user' }],
  });
  t.match(explain('1', LICENSE, own2), { rule: 'own_company' }, 'decisions only apply to one_per_vendor');
  const [vendor] = tenant.snapshot.vendorCompanies;
  const group = [tenant.license('1'), tenant.license('2'), { ...tenant.license('3'), ownCompanyId: null }];
  const source = tenant.license('2');
  const verdictsWith = (others: readonly { ubiKey: string; companyId: string }[]) =>
    explainVendorCompany(vendor ?? { ubiKey: '', companyId: '' }, group, others, source, false).map(
      ({ licenseNumber, verdict }) => `${licenseNumber} ${verdict}`,
    );
  t.same(verdictsWith(tenant.snapshot.vendorCompanies), ['2 chosen', '1 newer', '3 no_own_company']);
  const older = [...group, { ...tenant.license('1'), transactionIdOriginal: '0' }].slice(1);
  t.same(
    explainVendorCompany(vendor ?? { ubiKey: '', companyId: '' }, older, [], source, false).map(
      ({ verdict }) => verdict,
    ),
    ['joined_later', 'chosen', 'no_own_company'],
    'an older license that joined the vendor later',
  );
  const rest = older.filter(({ licenseNumber }) => licenseNumber === '1');
  const verdictOf = (left: LicenseState | undefined, isManual = false) =>
    explainVendorCompany(vendor ?? { ubiKey: '', companyId: '' }, rest, [], left, isManual).map(
      ({ verdict }) => verdict,
    );
  t.same(verdictOf(source), ['joined_later'], 'also if the license whose company was chosen left the UBI');
  t.same(verdictOf({ ...source, transactionIdOriginal: '0', licenseKey: '0' }), ['newer']);
  t.same(verdictOf(undefined, true), ['manual_company_wins'], 'a manual company has precedence');
  t.same(verdictOf(undefined), ['joined_later'], 'the vendor company is no license’s own company');
  t.same(verdictsWith([{ ubiKey: 'B', companyId: own1 }]), [
    '2 chosen',
    '1 represents_another_ubi',
    '3 no_own_company',
  ]);
  tenant.sync(rows.slice(1));
  t.match(explain('1', VENDOR), { rule: 'inactive_keeps_company', companyId: own2 });
  t.same(explain('1', VENDOR).rejected, [{ companyId: own1, reason: 'license_is_inactive' }]);
  const manual = tenant.addManual('Manual', '9');
  tenant.sync([...rows, row('9', 'A', 'Nine')]);
  t.match(explain('9', VENDOR), { rule: 'manual_company', companyId: manual });
  t.same(explain('9', VENDOR).rejected, [{ companyId: own2, reason: 'manual_company_wins' }]);
  t.end();
});

// ---------------------------------------------------------------------------------------------------------------------
// Details that no law covers

t.test('toKnownList returns the last known state of listed licenses only', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.includeLabs = true;
  const rows = [row('1', 'A', 'One'), row('2', null, null), row('3', 'B', 'Lab', { isLab: true }), row('4', 'B')];
  tenant.addManual('Manual', '9');
  tenant.sync(rows);
  t.same(tenant.license('9').contentHash, '', 'a license that was only added manually');
  const byKey = (licenses: readonly ListedLicense[]) =>
    [...licenses]
      .sort((a, b) => (a.licenseKey < b.licenseKey ? -1 : 1))
      .map((one) => ({ ...one, transactionId: null }));
  t.same(byKey(toKnownList(tenant.snapshot.licenses)), byKey(collate(...rows).licenses));
  tenant.sync([...rows.slice(1, 3), row('4', 'B', 'Mesa', { isDeleted: true, transactionId: '50' })]);
  t.same(
    byKey(toKnownList(tenant.snapshot.licenses)).map(({ licenseKey, isDeleted }) => [licenseKey, isDeleted]),
    [
      [keyOf('2'), false],
      [keyOf('3'), false],
      [keyOf('4'), true],
    ],
    'without missing licenses; deleted licenses are marked as deleted',
  );
  t.end();
});

t.test('warnings are sorted by license number', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = ['1', '2', '3'].map((number) => row(number, 'A'));
  tenant.sync(rows);
  const plan = tenant.sync(rows.map((one) => ({ ...one, ubi: ' ', transactionId: '50' })).reverse());
  t.same(
    plan.warnings.map(({ licenseNumber }) => licenseNumber),
    ['1', '2', '3'],
  );
  t.end();
});

t.test('superseded_by of a company that is no own company: the company with the oldest license', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'x', { age: 2 }), row('2', 'B', 'x', { age: 1 }), row('3', 'D', 'x', { age: 3 })];
  tenant.sync(rows);
  tenant.sync(rows, VENDOR);
  const sold = rows.map((one) => ({ ...one, ubi: 'C', transactionId: '50' }));
  tenant.sync(sold);
  const alone = tenant.holder('1');
  tenant.sync(sold, LICENSE);
  t.equal(tenant.company(alone).supersededBy, tenant.holder('2'));
  t.end();
});

t.test('filtered licenses have a reason and their details', (t) => {
  const tenant = new Tenant(LICENSE);
  const plan = tenant.sync([
    row('1', 'A', 'Gone', { isDeleted: true }),
    row('2', 'B', 'Lab', { isLab: true }),
    row('3', 'C', 'Added'),
  ]);
  t.same(plan.filtered, [
    { reason: 'inactive_when_first_listed', licenseNumber: '1', ubi: 'A', name: 'Gone' },
    { reason: 'labs_excluded', licenseNumber: '2', ubi: 'B', name: 'Lab' },
  ]);
  t.end();
});

t.test('license steps are sorted by key', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.sync([row('2', 'A'), row('4', 'B'), row('6', 'C')]);
  const plan = tenant.sync([row('1', 'D'), row('3', 'E'), row('5', 'F'), row('6', 'C', 'Renamed')]);
  t.same(
    plan.licenses.map(({ after, kind }) => `${after.licenseNumber} ${kind}`),
    [
      '1 license.created',
      '2 license.deactivated',
      '3 license.created',
      '4 license.deactivated',
      '5 license.created',
      '6 license.updated',
    ],
  );
  t.end();
});

t.test('age: without transactionid_original the lowest key is the oldest', (t) => {
  const numbers = ['5', '2', '4', '1', '3'];
  for (let start = 0; start < numbers.length; start += 1) {
    const order = [...numbers.slice(start), ...numbers.slice(0, start)];
    const tenant = new Tenant(VENDOR);
    tenant.sync(order.map((number) => row(number, 'A', `Site ${number}`, { age: null })));
    const [company] = tenant.active;
    t.equal(company?.sourceName, 'Site 1', order.join());
    t.equal(tenant.license('1').ownCompanyId, company?.id);
  }
  t.end();
});

t.test('name groups: the name up to its first dash, case-insensitive', (t) => {
  t.equal(toNameGroup('Green  Leaf – Taos – 7'), 'green leaf');
  t.equal(toNameGroup('Green Leaf - Taos'), 'green leaf - taos', 'a hyphen is not a dash');
  const tenant = new Tenant(LICENSE);
  tenant.sync([row('1', 'A', 'Green Leaf – Taos')]);
  t.equal(tenant.active[0]?.nameGroup, 'green leaf');
  t.end();
});

t.test('display names: each level, down to the whole id', (t) => {
  const company = (id: string, city: string | null, number: string | null) => ({ id, name: 'Mesa', city, number });
  const names = (...companies: ReturnType<typeof company>[]) => [...toDisplayNames(companies).values()];
  t.same(names(company('a-00000001', 'Taos', '7')), ['Mesa']);
  t.same(names(company('a-00000001', 'Taos', '7'), company('a-00000002', 'Gallup', '7')), [
    'Mesa – Taos',
    'Mesa – Gallup',
  ]);
  t.same(names(company('a-00000001', 'Taos', '7'), company('a-00000002', 'Taos', '8')), ['Mesa – 7', 'Mesa – 8']);
  t.same(names(company('a-00000001', 'Taos', '7'), company('a-00000002', 'Taos', '7')), [
    'Mesa – 7 – 00000001',
    'Mesa – 7 – 00000002',
  ]);
  t.same(names(company('a-00000001', 'Taos', '7'), company('b-00000001', 'Taos', '7')), [
    'Mesa – a-00000001',
    'Mesa – b-00000001',
  ]);
  // Identical ids cannot be distinguished; the function still returns.
  t.same(names(company('a-00000001', null, null), company('a-00000001', null, null)), ['Mesa – a-00000001']);
  t.end();
});

t.test('display names: a name that no company ends up with does not make another one longer', (t) => {
  const company = (id: string, name: string, city: string | null, number: string) => ({ id, name, city, number });
  const first = company('a-00000001', 'Mesa', 'Taos', '7');
  const second = company('a-00000002', 'Mesa', 'Taos', '8');
  const dashed = company('a-00000003', 'Mesa – Taos', 'Gallup', '9');
  const sorted = (...companies: ReturnType<typeof company>[]) => [...toDisplayNames(companies).values()].sort();
  t.same(sorted(first, second, dashed), ['Mesa – 7', 'Mesa – 8', 'Mesa – Taos']);
  t.same(sorted(dashed, second, first), ['Mesa – 7', 'Mesa – 8', 'Mesa – Taos'], 'in any order');
  const elsewhere = company('a-00000004', 'Mesa', 'Hobbs', '8');
  t.same(
    sorted(first, elsewhere, dashed),
    ['Mesa – 7', 'Mesa – Hobbs', 'Mesa – Taos'],
    'a name without a suffix has precedence',
  );
  const literal = company('a-00000005', 'Mesa – a-00000001', 'Gallup', '9');
  const twins = [first, company('b-00000001', 'Mesa', 'Taos', '7')];
  t.equal(countOf(sorted(...twins, literal)), 3, 'also if a name looks like another one with its id');
  t.end();
});

t.test('display names: the short ids of companies that one run creates differ', (t) => {
  for (const runId of ['0193a4c0-7d3e-7cc2-9f51-3f2dffffffff', '0193a4c0-7d3e-7cc2-9f51-3f2d00000000']) {
    const newId = createIdSequence(runId, Date.UTC(2026, 0, 1));
    const ids = Array.from({ length: 40_000 }, newId);
    t.same(ids, [...ids].sort(), 'ids ascend');
    t.equal(countOf(ids), ids.length);
    t.equal(countOf(ids.map((id) => id.slice(-8))), ids.length, 'their ends differ');
    for (const id of ids.slice(0, 3))
      t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const twins = ids.slice(0, 2).map((id) => ({ id, name: 'Mesa', city: null, number: null }));
    t.same(
      [...toDisplayNames(twins).values()],
      twins.map(({ id }) => `Mesa – ${id.slice(-8)}`),
    );
  }
  const [one, other] = ['0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11', '0193a4c0-7d3e-7cc2-9f51-3f2d7a1f8a12'].map((runId) =>
    createIdSequence(runId, 0)().slice(-8),
  );
  t.not(one, other, 'short ids of different runs differ too');
  t.end();
});

t.test('planNames: a rename changes the display names of all companies with that name', (t) => {
  const tenant = new Tenant(LICENSE);
  tenant.sync([row('1', 'A', 'Mesa', { city: 'Taos' }), row('2', 'B', 'Other', { city: 'Gallup' })]);
  const companies = tenant.active.map((company) => ({ ...company, editedName: 'Mesa' }));
  const steps = planNames({ companies, licenses: tenant.snapshot.licenses });
  t.same(
    steps.map(({ kind, before, after }) => `${kind} ${before?.displayName} → ${after.displayName}`),
    ['company.updated Mesa → Mesa – Taos', 'company.updated Other → Mesa – Gallup'],
  );
  t.same(
    planNames({ companies: tenant.active, licenses: tenant.snapshot.licenses }),
    [],
    'no steps if nothing changes',
  );
  t.end();
});

t.test('a delta plan keeps the display names of other groups', (t) => {
  const tenant = new Tenant(LICENSE);
  const rows = [row('1', 'A', 'Mesa'), row('2', 'B', 'Mesa'), row('3', 'C', 'Other')];
  tenant.sync(rows);
  const { snapshot } = tenant;
  const mesas = new Set(tenant.holders('1', '2'));
  const shown = snapshot.companies.map((company) =>
    mesas.has(company.id) ? { ...company, displayName: `unchanged ${company.id}` } : company,
  );
  const plan = REAL.planSync({
    listed: collate(...rows).licenses,
    snapshot: { ...snapshot, companies: shown },
    part: {
      nameGroups: new Set(['other']),
      namesakes: { companies: [], licenses: [] },
      otherCompanies: 0,
      otherActiveCompanies: 0,
      otherActiveLicenses: 0,
    },
    strategy: LICENSE,
    includeLabs: false,
    at: tenant.at,
    newId: () => 'unused',
  });
  t.same(plan.companies, []);
  t.end();
});

t.test('an archived vendor company keeps its UBI', (t) => {
  const tenant = new Tenant(VENDOR);
  const rows = [row('1', 'A', 'Alpha', { age: 1 }), row('2', 'A', 'Beta', { age: 2 })];
  tenant.sync([row('1', 'A', 'Alpha', { age: 1 })], LICENSE);
  tenant.sync(rows, VENDOR);
  const vendor = tenant.holder('1');
  t.match(tenant.company(vendor), { ubi: 'A', ubiKey: 'A' });
  tenant.sync([], VENDOR);
  t.match(tenant.company(vendor), { ubi: 'A', ubiKey: 'A', archivedDatetime: tenant.at });
  // Without any license, after each license moved to its own company.
  const other = new Tenant(VENDOR);
  other.sync([row('1', 'A', 'Alpha', { age: 1 })], LICENSE);
  other.sync([row('1', 'B', 'Alpha', { age: 1 }), row('2', 'A', 'Beta', { age: 2 })], VENDOR);
  const [a, b] = other.holders('2', '1') as [string, string];
  other.sync([row('1', 'B', 'Alpha', { age: 1 }), row('2', 'A', 'Beta', { age: 2 })], LICENSE);
  for (const id of [a, b]) t.ok(other.company(id).ubi !== null, 'a company without licenses keeps its UBI');
  t.end();
});

t.test('a company with licenses of two UBIs has no UBI, and is named by its oldest license', (t) => {
  const tenant = new Tenant(LICENSE);
  const manual = tenant.addManual('Mesa', '1');
  tenant.snapshot = {
    ...tenant.snapshot,
    licenses: [
      ...tenant.snapshot.licenses,
      { ...tenant.license('1'), id: '0192ffff-0000-7000-8000-00000000000e', licenseKey: '2', licenseNumber: '2' },
    ],
  };
  tenant.sync([row('1', 'A', 'One', { age: 2 }), row('2', 'B', 'Two', { age: 1 }), row('3', 'C', 'Mesa')]);
  t.match(tenant.company(manual), { ubi: null, ubiKey: null, displayName: 'Mesa – 2' });
  t.end();
});

t.test('a company that a user decided on cannot represent another UBI', (t) => {
  const tenant = new Tenant(VENDOR);
  tenant.sync([row('1', 'A', 'Alpha')]);
  const vendor = tenant.holder('1');
  const manual = tenant.addManual('Manual', '9');
  tenant.snapshot = {
    ...tenant.snapshot,
    decisions: [
      { ubiKey: 'A', companyId: manual, companyIds: [vendor, manual] },
      { ubiKey: 'Z', companyId: null, companyIds: [vendor] },
    ],
  };
  const plan = tenant.sync([row('1', 'A', 'Alpha'), row('9', 'B', 'Nine')]);
  t.equal(tenant.holder('1'), manual, 'as decided');
  t.equal(tenant.holder('9'), manual, 'added manually');
  t.same(plan.adoptions, [], 'it represents A only');
  t.same(plan.newVendorCompanies, []);
  t.end();
});
