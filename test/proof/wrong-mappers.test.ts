// Checks the laws: each of thirty deliberately wrong mappers must break one. Each mapper has one realistic bug, and is
// otherwise consistent: its plan reports and counts what it does.
import fc from 'fast-check';
import t from 'tap';
import type { ListedLicense } from '../../src/domain/listed-license.js';
import type { Vendor } from '../../src/domain/vendor.js';
import type {
  Collation,
  CompanyState,
  LicenseState,
  PlanInput,
  Snapshot,
  SyncPlan,
  VendorCompany,
} from '../../src/mapping/index.js';
import { checkLaws } from '../mapping/laws.js';
import {
  applyPlanInMemory,
  createTally,
  historyOf,
  keyOf,
  type Mapper,
  nameOf,
  play,
  REAL,
  readSeed,
  SMALL,
  ubiKeyOf,
  Violation,
} from '../mapping/world.js';

const SEED = readSeed();
const MOST_LISTS = 5_000;

// ---------------------------------------------------------------------------------------------------------------------
// Building blocks of wrong mappers

interface CollateOptions {
  readonly toLicenseKey?: (licenseNumber: string) => string;
  readonly toUbiKey?: (ubi: string | null) => string | null;
  /** Above zero: the first row wins. */
  readonly compare?: (a: Vendor, b: Vendor) => number;
  readonly toContent?: (row: Vendor) => unknown;
}

const byEdit = (a: Vendor, b: Vendor): number =>
  Number(b.isLab) - Number(a.isLab) ||
  Number(BigInt(a.transactionId ?? -1) - BigInt(b.transactionId ?? -1)) ||
  (contentOf(a) < contentOf(b) ? -1 : 1);

const contentOf = ({ transactionId: _, ...content }: Vendor): string => JSON.stringify(content);

/** A collation that is correct unless an option makes it wrong. */
const collating = (options: CollateOptions): Mapper => ({
  ...REAL,
  collateVendors(rows, digest): Collation {
    const toLicenseKey = options.toLicenseKey ?? keyOf;
    const toUbiKey = options.toUbiKey ?? ubiKeyOf;
    const compare = options.compare ?? byEdit;
    const winners = new Map<string, Vendor>();
    for (const listed of rows) {
      const row = { ...listed, name: listed.name === null ? null : keyOf(listed.name) || null };
      const key = toLicenseKey(row.licenseNumber);
      const winner = winners.get(key);
      if (winner === undefined || compare(row, winner) > 0) winners.set(key, row);
    }
    const licenses = [...winners].map(([licenseKey, row]) => ({
      ...row,
      licenseKey,
      ubiKey: toUbiKey(row.ubi),
      lastUbi: null,
      contentHash: digest(JSON.stringify(options.toContent?.(row) ?? contentOf(row))),
    }));
    licenses.sort((a, b) => (a.licenseKey < b.licenseKey ? -1 : 1));
    return { licenses, duplicates: rows.length - licenses.length };
  },
});

type Planner = (input: PlanInput) => SyncPlan;

const planning = (planSync: Planner): Mapper => ({ ...REAL, planSync });

function toLicenseKind(before: LicenseState, after: LicenseState): SyncPlan['licenses'][number]['kind'] {
  if (before.ubiKey !== null && before.ubiKey !== after.ubiKey) return 'license.transferred';
  if (before.active !== after.active) return after.active ? 'license.reactivated' : 'license.deactivated';
  return before.companyId === after.companyId ? 'license.updated' : 'license.moved';
}

function toCompanyKind(before: CompanyState, after: CompanyState): SyncPlan['companies'][number]['kind'] {
  const [was, is] = [before.archivedDatetime === null, after.archivedDatetime === null];
  if (was === is) return 'company.updated';
  return is ? 'company.reactivated' : 'company.archived';
}

/** The steps from one state to another. */
function toSteps<State extends { readonly id: string }, Kind>(
  before: readonly State[],
  after: readonly State[],
  created: Kind,
  toKind: (before: State, after: State) => Kind,
): { kind: Kind; before: State | undefined; after: State }[] {
  const known = new Map(before.map((state) => [state.id, state]));
  const steps: { kind: Kind; before: State | undefined; after: State }[] = [];
  for (const state of after) {
    const was = known.get(state.id);
    if (was === undefined) steps.push({ kind: created, before: was, after: state });
    else if (JSON.stringify(sorted(was)) !== JSON.stringify(sorted(state))) {
      steps.push({ kind: toKind(was, state), before: was, after: state });
    }
  }
  return steps;
}

const sorted = (state: object): unknown => Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1));

/** The plan of a wrong mapper, with steps and counts that match what it does. */
function toHonestPlan(input: PlanInput, next: Snapshot, honest: SyncPlan): SyncPlan {
  const { snapshot } = input;
  const companies = toSteps(snapshot.companies, next.companies, 'company.created', toCompanyKind);
  const licenses = toSteps(snapshot.licenses, next.licenses, 'license.created', toLicenseKind);
  const count = (kind: string): number => companies.filter((step) => step.kind === kind).length;
  const moves = licenses.filter(({ before, after }) => before !== undefined && before.companyId !== after.companyId);
  const removed = licenses.filter(({ before, after }) => before?.active === true && !after.active).length;
  const changed = new Set([
    ...companies.map(({ after }) => after.id),
    ...honest.adoptions.map(({ companyId }) => companyId),
  ]);
  const renamed = new Set(
    companies.flatMap(({ before, after }) =>
      before?.archivedDatetime === null && before.sourceName !== after.sourceName ? after.id : [],
    ),
  );
  const vendors = new Map(snapshot.vendorCompanies.map(({ ubiKey, companyId }) => [ubiKey, companyId]));
  return {
    ...honest,
    companies,
    licenses,
    newVendorCompanies: next.vendorCompanies.filter(({ ubiKey, companyId }) => vendors.get(ubiKey) !== companyId),
    counts: {
      ...honest.counts,
      created: count('company.created'),
      updated: count('company.updated'),
      archived: count('company.archived'),
      reactivated: count('company.reactivated'),
      unchanged: next.companies.length - changed.size,
      licensesCreated: licenses.filter(({ before }) => before === undefined).length,
      licensesDeactivated: removed,
      licensesReactivated: licenses.filter(({ before, after }) => before?.active === false && after.active).length,
      moved: moves.length,
    },
    companyCount: next.companies.length,
    impact: {
      activeLicenses: snapshot.licenses.filter(({ active }) => active).length,
      removed,
      moved: moves.filter(({ before }) => before?.active === true).length,
      activeCompanies: snapshot.companies.filter(({ archivedDatetime }) => archivedDatetime === null).length,
      renamedCompanies: renamed.size,
      renamedLicenses: snapshot.licenses.filter(
        (license) =>
          license.active && renamed.has(license.companyId) && !moves.some(({ before }) => before === license),
      ).length,
    },
  };
}

type Change = (next: Snapshot, input: PlanInput) => Snapshot;

/** Our mapper with misread input, and with changes to its result. */
const misreading = (misread: (input: PlanInput) => Partial<PlanInput>, change: Change = (next) => next): Mapper =>
  planning((input) => {
    const misreadInput = { ...input, ...misread(input) };
    const honest = REAL.planSync(misreadInput);
    return toHonestPlan(input, change(applyPlanInMemory(misreadInput.snapshot, honest), input), honest);
  });

const ending = (change: Change): Mapper => misreading(() => ({}), change);

const withCompanies = (next: Snapshot, change: (company: CompanyState) => CompanyState): Snapshot => ({
  ...next,
  companies: next.companies.map(change),
});

const withLicenses = (next: Snapshot, change: (license: LicenseState) => LicenseState): Snapshot => ({
  ...next,
  licenses: next.licenses.map(change),
});

const mapById = <State extends { readonly id: string }>(states: readonly State[]): Map<string, State> =>
  new Map(states.map((state) => [state.id, state]));

const isArchivedIn = ({ companies }: Snapshot): ((companyId: string | null) => boolean) => {
  const known = mapById(companies);
  return (companyId) => (known.get(companyId ?? '')?.archivedDatetime ?? null) !== null;
};

/** Archives and reactivates companies after licenses were moved. */
function settle(next: Snapshot, { at }: PlanInput): Snapshot {
  const holding = new Set(next.licenses.filter(({ active }) => active).map(({ companyId }) => companyId));
  return withCompanies(next, (company) => {
    if (holding.has(company.id)) return { ...company, archivedDatetime: null, supersededBy: null };
    if (company.origin === 'manual') return company;
    return { ...company, archivedDatetime: company.archivedDatetime ?? at };
  });
}

const mapByKey = ({ licenses }: Snapshot): Map<string, LicenseState> =>
  new Map(licenses.map((license) => [license.licenseKey, license]));

const relist = (input: PlanInput, change: (license: ListedLicense) => ListedLicense): Partial<PlanInput> => ({
  listed: input.listed.map(change),
});

/** Restores the fields of licenses that a mapper misread in the list. */
const rereading =
  (fields: (license: ListedLicense) => Partial<LicenseState>) =>
  (next: Snapshot, { listed }: PlanInput): Snapshot => {
    const rows = new Map(listed.map((license) => [license.licenseKey, license]));
    return withLicenses(next, (license) => {
      const row = rows.get(license.licenseKey);
      return row === undefined ? license : { ...license, ...fields(row) };
    });
  };

// ---------------------------------------------------------------------------------------------------------------------
// Thirty wrong mappers

const BLANK = '(no UBI)';

const toName = (license: { readonly name: string | null; readonly licenseKey: string }): string =>
  license.name ?? license.licenseKey;

/** Restores the UBIs, after companies were assigned without them. */
const withTrueUbis = (next: Snapshot, input: PlanInput): Snapshot => {
  const known = mapByKey(input.snapshot);
  return rereading((row) => {
    const before = known.get(row.licenseKey);
    return row.ubiKey === null && before !== undefined
      ? { ubi: before.ubi, ubiKey: before.ubiKey }
      : { ubi: row.ubi, ubiKey: row.ubiKey };
  })(next, input);
};

const WRONG: readonly (readonly [string, () => Mapper])[] = [
  ['folds the case of license numbers', () => collating({ toLicenseKey: (text) => keyOf(text).toUpperCase() })],
  [
    'strips leading zeros of license numbers',
    () => collating({ toLicenseKey: (text) => keyOf(text).replace(/^0+/, '') }),
  ],
  ['strips leading zeros of UBIs', () => collating({ toUbiKey: (ubi) => ubiKeyOf(ubi)?.replace(/^0+/, '') ?? null })],
  [
    'treats different whitespace as a different license',
    () => collating({ toLicenseKey: (text) => text.normalize('NFC') }),
  ],
  [
    'compares transaction ids as text',
    () => collating({ compare: (a, b) => ((a.transactionId ?? '') > (b.transactionId ?? '') ? 1 : -1) }),
  ],
  [
    'lets the order of the rows break ties',
    () => collating({ compare: (a, b) => Number(BigInt(a.transactionId ?? -1) - BigInt(b.transactionId ?? -1)) }),
  ],
  ['forgets the name in the digest', () => collating({ toContent: (row) => contentOf({ ...row, name: null }) })],
  [
    'merges all licenses without a UBI',
    () =>
      misreading(
        (input) => ({
          ...relist(input, (row) => ({ ...row, ubiKey: row.ubiKey ?? BLANK })),
          snapshot: withLicenses(input.snapshot, (license) => ({ ...license, ubiKey: license.ubiKey ?? BLANK })),
        }),
        (next, input) => {
          const real = withTrueUbis(next, input);
          const unblank = <State extends { readonly ubiKey: string | null }>(state: State): State =>
            state.ubiKey === BLANK ? { ...state, ubiKey: null } : state;
          return withCompanies(withLicenses(real, unblank), unblank);
        },
      ),
  ],
  [
    'keys companies by name',
    () =>
      misreading(
        (input) => ({
          ...relist(input, (row) => ({ ...row, ubi: toName(row), ubiKey: toName(row) })),
          snapshot: withLicenses(input.snapshot, (license) => ({ ...license, ubiKey: toName(license) })),
          strategy: 'one_per_vendor',
        }),
        (next, input) => {
          const known = mapByKey(input.snapshot);
          const missing = withLicenses(next, (license) => ({
            ...license,
            ubiKey: known.get(license.licenseKey)?.ubiKey ?? null,
          }));
          return withTrueUbis(missing, input);
        },
      ),
  ],
  [
    'forgets to archive',
    () =>
      ending((next, { snapshot }) => {
        const isArchived = isArchivedIn(snapshot);
        return withCompanies(next, (company) =>
          isArchived(company.id) ? company : { ...company, archivedDatetime: null, supersededBy: null },
        );
      }),
  ],
  [
    'deletes instead of archiving',
    () => ({
      ...REAL,
      applyPlan(snapshot, plan) {
        const next = applyPlanInMemory(snapshot, plan);
        const isArchived = isArchivedIn(next);
        return {
          ...next,
          companies: next.companies.filter(({ id }) => !isArchived(id)),
          licenses: next.licenses
            .filter(({ companyId }) => !isArchived(companyId))
            .map((license) => (isArchived(license.ownCompanyId) ? { ...license, ownCompanyId: null } : license)),
          vendorCompanies: next.vendorCompanies.filter(({ companyId }) => !isArchived(companyId)),
        };
      },
    }),
  ],
  [
    'gives new ids on a switch',
    () =>
      misreading(
        ({ snapshot }) => {
          const isArchived = isArchivedIn(snapshot);
          return {
            snapshot: withLicenses(snapshot, (license) =>
              isArchived(license.ownCompanyId) ? { ...license, ownCompanyId: null } : license,
            ),
          };
        },
        (next, { snapshot }) => {
          const known = mapByKey(snapshot);
          return withLicenses(next, (license) => ({
            ...license,
            ownCompanyId: known.get(license.licenseKey)?.ownCompanyId ?? license.ownCompanyId,
          }));
        },
      ),
  ],
  [
    'drops an edit when it archives',
    () =>
      ending((next) =>
        withCompanies(next, (company) =>
          company.archivedDatetime === null || company.origin === 'manual' ? company : { ...company, editedName: null },
        ),
      ),
  ],
  [
    'shows the name of the state instead of the edited name',
    () =>
      misreading(
        ({ snapshot }) => ({
          snapshot: withCompanies(snapshot, (company) =>
            company.origin === 'manual' ? company : { ...company, editedName: null },
          ),
        }),
        (next, { snapshot }) => {
          const known = mapById(snapshot.companies);
          return withCompanies(next, (company) => ({
            ...company,
            editedName: known.get(company.id)?.editedName ?? company.editedName,
          }));
        },
      ),
  ],
  [
    'lets one company represent two UBIs',
    () => ending((next, input) => settle(shareVendorCompanies(next, input), input)),
  ],
  [
    'rewrites the first memory',
    () =>
      ending((next) =>
        withLicenses(next, (license) => {
          const isAlone = next.licenses.filter(({ companyId }) => companyId === license.companyId).length === 1;
          return license.active && isAlone ? { ...license, ownCompanyId: license.companyId } : license;
        }),
      ),
  ],
  ['rewrites the second memory', createForgetfulOfVendors],
  [
    'treats the first license number as the oldest license',
    () =>
      misreading(
        (input) => relist(input, (row) => ({ ...row, transactionIdOriginal: null })),
        rereading(({ transactionIdOriginal }) => ({ transactionIdOriginal })),
      ),
  ],
  [
    'replaces a known UBI by a blank',
    () =>
      misreading(({ snapshot, listed }) => {
        const blank = new Set(listed.filter(({ ubiKey }) => ubiKey === null).map(({ licenseKey }) => licenseKey));
        return {
          snapshot: withLicenses(snapshot, (license) =>
            blank.has(license.licenseKey) ? { ...license, ubi: null, ubiKey: null } : license,
          ),
        };
      }),
  ],
  [
    'leaves a sold license with the seller',
    () =>
      ending((next, input) => {
        const known = mapByKey(input.snapshot);
        const unsold = withLicenses(next, (license) => {
          const before = known.get(license.licenseKey);
          const isSold = before !== undefined && before.ubiKey !== null && before.ubiKey !== license.ubiKey;
          return isSold && license.active ? { ...license, companyId: before.companyId } : license;
        });
        return settle(unsold, input);
      }),
  ],
  [
    'gives a sold license a new company',
    () =>
      ending((next, input) => {
        const known = mapByKey(input.snapshot);
        const companies: CompanyState[] = [];
        const sold = withLicenses(next, (license) => {
          const before = known.get(license.licenseKey);
          const holder = next.companies.find(({ id }) => id === license.companyId);
          const isSold = before !== undefined && before.ubiKey !== null && before.ubiKey !== license.ubiKey;
          if (!isSold || !license.active || license.companyId !== license.ownCompanyId || !holder) return license;
          const companyId = `${input.newId()}-sold`;
          companies.push({ ...holder, id: companyId, origin: 'biotrack', editedName: null });
          return { ...license, companyId };
        });
        return settle({ ...sold, companies: [...sold.companies, ...companies] }, input);
      }),
  ],
  [
    'moves a missing license out of its company',
    () =>
      ending((next) =>
        withLicenses(next, (license) =>
          license.active ? license : { ...license, companyId: license.ownCompanyId ?? license.companyId },
        ),
      ),
  ],
  [
    'never updates superseded_by',
    () =>
      ending((next, { snapshot }) => {
        const known = mapById(snapshot.companies);
        return withCompanies(next, (company) => ({
          ...company,
          supersededBy:
            company.archivedDatetime === null ? null : (known.get(company.id)?.supersededBy ?? company.supersededBy),
        }));
      }),
  ],
  [
    'never clears is_own_company',
    () =>
      ending((next, { snapshot }) => {
        const known = mapById(snapshot.companies);
        return withCompanies(next, (company) => ({
          ...company,
          isOwnCompany: company.isOwnCompany || known.get(company.id)?.isOwnCompany === true,
        }));
      }),
  ],
  [
    'never changes a display name',
    () =>
      ending((next, { snapshot }) => {
        const known = mapById(snapshot.companies);
        return withCompanies(next, (company) => {
          const before = known.get(company.id);
          const isSame = before !== undefined && nameOf(before) === nameOf(company);
          return isSame ? { ...company, displayName: before.displayName } : company;
        });
      }),
  ],
  [
    'assigns a manually added license by the strategy',
    () =>
      misreading(
        ({ snapshot }) => ({ snapshot: withLicenses(snapshot, (license) => ({ ...license, namedByCompanyId: null })) }),
        (next, { snapshot }) => {
          const known = mapByKey(snapshot);
          return withLicenses(next, (license) => ({
            ...license,
            namedByCompanyId: known.get(license.licenseKey)?.namedByCompanyId ?? null,
          }));
        },
      ),
  ],
  [
    'archives a manual company without licenses',
    () =>
      ending((next, { at }) => {
        const holding = new Set(next.licenses.filter(({ active }) => active).map(({ companyId }) => companyId));
        return withCompanies(next, (company) =>
          company.origin === 'biotrack' || holding.has(company.id)
            ? company
            : { ...company, archivedDatetime: company.archivedDatetime ?? at },
        );
      }),
  ],
  [
    'resolves a conflict without a decision',
    () =>
      planning((input) => {
        const plan = REAL.planSync(input);
        return { ...plan, conflicts: [], counts: { ...plan.counts, conflicts: 0 } };
      }),
  ],
  [
    'updates missing licenses on every run',
    () =>
      ending((next, { at, listed }) => {
        const keys = new Set(listed.map(({ licenseKey }) => licenseKey));
        return withLicenses(next, (license) =>
          keys.has(license.licenseKey) ? license : { ...license, missingSinceDatetime: at },
        );
      }),
  ],
  ["gives a tenant another tenant's companies", createSharedMemory],
];

/** Chooses the own company of the oldest license for a UBI, even if it represents another UBI. */
function shareVendorCompanies(next: Snapshot, { snapshot }: PlanInput): Snapshot {
  const known = mapByKey(snapshot);
  const fresh = next.vendorCompanies.slice(snapshot.vendorCompanies.length);
  const vendorCompanies: VendorCompany[] = fresh.map(({ ubiKey, companyId }) => {
    const bought = next.licenses.find(
      (license) => license.active && license.ubiKey === ubiKey && license.namedByCompanyId === null,
    );
    return { ubiKey, companyId: known.get(bought?.licenseKey ?? '')?.ownCompanyId ?? companyId };
  });
  const chosen = new Map(vendorCompanies.map(({ ubiKey, companyId }) => [ubiKey, companyId]));
  return {
    ...withLicenses(next, (license) => {
      const companyId =
        license.active && license.namedByCompanyId === null ? chosen.get(license.ubiKey ?? '') : undefined;
      return companyId === undefined ? license : { ...license, companyId };
    }),
    vendorCompanies: [...snapshot.vendorCompanies, ...vendorCompanies],
  };
}

/** Chooses the company of each UBI again in every run, and overwrites the old choice. */
function createForgetfulOfVendors(): Mapper {
  return {
    ...misreading(({ snapshot }) => ({ snapshot: { ...snapshot, vendorCompanies: [] } })),
    applyPlan(snapshot, plan) {
      const rewritten = new Set(plan.newVendorCompanies.map(({ ubiKey }) => ubiKey));
      const kept = snapshot.vendorCompanies.filter(({ ubiKey }) => !rewritten.has(ubiKey));
      return applyPlanInMemory({ ...snapshot, vendorCompanies: kept }, plan);
    },
  };
}

/** A cache without the tenant in its keys. */
function createSharedMemory(): Mapper {
  const ids = new Map<string, string>();
  return planning((input) => {
    const plan = REAL.planSync(input);
    const renamed = new Map<string, string>();
    for (const { before, after } of plan.licenses) {
      if (before !== undefined || after.companyId !== after.ownCompanyId) continue;
      const cached = ids.get(after.licenseKey);
      if (cached === undefined) ids.set(after.licenseKey, after.companyId);
      else if (!input.snapshot.companies.some(({ id }) => id === cached)) renamed.set(after.companyId, cached);
    }
    const text = JSON.stringify(plan);
    return JSON.parse([...renamed].reduce((now, [own, cached]) => now.replaceAll(own, cached), text)) as SyncPlan;
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Tests

interface Verdict {
  readonly caughtBy: string | undefined;
  /** Another error than a violation: the wrong mapper itself is broken, which proves nothing. */
  readonly error: unknown;
  readonly lists: number;
}

function findViolation(mapper: Mapper, lists: number): Verdict {
  const property = fc.property(historyOf(SMALL), (history) => {
    play(mapper, history, createTally(), (sync, isLast) => checkLaws(sync, isLast, new Map()));
  });
  const result = fc.check(property, { seed: SEED, numRuns: lists, endOnFailure: true });
  if (!result.failed) return { caughtBy: undefined, error: undefined, lists: result.numRuns };
  const { errorInstance } = result;
  if (errorInstance instanceof Violation) {
    return { caughtBy: errorInstance.message, error: undefined, lists: result.numRuns };
  }
  return { caughtBy: undefined, error: errorInstance, lists: result.numRuns };
}

t.comment(`TEST_SEED=${SEED} replays this run`);

t.test('correct mappers break no law', (t) => {
  const correct: readonly (readonly [string, Mapper])[] = [
    ['ours', REAL],
    ['another collation', collating({})],
    ['an ending without changes', ending((next) => next)],
    ['a misreading without changes', misreading(() => ({}))],
  ];
  for (const [name, mapper] of correct) {
    const { caughtBy, error, lists } = findViolation(mapper, 500);
    t.equal(caughtBy, undefined, `${name} breaks no law`);
    t.equal(error, undefined, `${name} works`);
    t.equal(lists, 500, 'on 500 lists');
  }
  t.end();
});

t.test('every wrong mapper breaks a law', (t) => {
  t.equal(WRONG.length, 30, 'thirty mappers');
  t.equal(new Set(WRONG.map(([name]) => name)).size, 30, 'all different');
  let caught = 0;
  for (const [name, create] of WRONG) {
    const { caughtBy, error, lists } = findViolation(create(), MOST_LISTS);
    t.equal(error instanceof Error ? error.stack : error, undefined, `"${name}" throws no other error`);
    t.ok(caughtBy !== undefined, `"${name}" is caught`);
    if (caughtBy === undefined) continue;
    caught += 1;
    t.comment(`${name}: after ${lists} lists by ${caughtBy.slice(0, 150)}`);
  }
  t.comment(`${caught} of ${WRONG.length} caught`);
  t.equal(caught, WRONG.length, 'all of them');
  t.end();
});
