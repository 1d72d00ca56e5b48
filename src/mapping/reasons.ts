import type { CompanyReason, LicenseReason } from '../domain/change-reason.js';
import type { CompanyStep, LicenseStep, SyncPlan } from './plan.js';
import type { CompanyState, LicenseState, VendorDecision } from './snapshot.js';

/** The reason of each step of a plan. */
export interface Reasons {
  ofCompany(step: CompanyStep): CompanyReason;
  ofLicense(step: LicenseStep): LicenseReason;
}

type Reasoned = Pick<SyncPlan, 'licenses' | 'includeLabs' | 'strategy' | 'decisions'>;

export function toReasons({ licenses, includeLabs, strategy, decisions }: Reasoned): Reasons {
  // Decisions only have an effect with `one_per_vendor`.
  const decided = new Map(
    strategy === 'one_per_vendor' ? decisions.map((decision) => [decision.ubiKey, decision]) : [],
  );
  const events = new CompanyEvents(includeLabs);
  for (const step of licenses) events.add(step);
  return {
    ofCompany: (step) => toCompanyReason(step, events),
    ofLicense: ({ before, after }) =>
      toLicenseReason(before, after, { includeLabs, decision: decided.get(after.ubiKey ?? '') }),
  };
}

/** Why an active license arrives at a company. If several arrive, the first of these counts. */
const ARRIVALS = ['returned', 'bought', 'new_ubi', 'split_out', 'first_seen'] as const;
type Arrival = (typeof ARRIVALS)[number];

/** Why an active license of a company becomes inactive or departs. If several do, the first of these counts. */
const DEPARTURES = ['vanished', 'deleted_by_state', 'labs_excluded', 'sold', 'new_ubi', 'merged'] as const;
type Departure = (typeof DEPARTURES)[number];

/** What happens to the licenses of each company. */
class CompanyEvents {
  readonly #arrivals = new Map<string, Arrival>();
  readonly #departures = new Map<string, Departure>();
  readonly #renamed = new Set<string>();
  readonly #withNewUbi = new Set<string>();
  readonly #includeLabs: boolean;

  constructor(includeLabs: boolean) {
    this.#includeLabs = includeLabs;
  }

  add({ before, after }: LicenseStep): void {
    const wasHeld = before?.active === true;
    const isStaying = wasHeld && after.active && before.companyId === after.companyId;
    if (isStaying) {
      if (before.name !== after.name) this.#renamed.add(after.companyId);
      if (before.ubiKey !== after.ubiKey) this.#withNewUbi.add(after.companyId);
      return;
    }
    if (after.active) addFirst(this.#arrivals, after.companyId, toArrival(before, after), ARRIVALS);
    if (wasHeld) addFirst(this.#departures, before.companyId, this.#toDeparture(before, after), DEPARTURES);
  }

  findArrival(companyId: string): Arrival | undefined {
    return this.#arrivals.get(companyId);
  }

  findDeparture(companyId: string): Departure | undefined {
    return this.#departures.get(companyId);
  }

  /** Whether the state renamed one of the licenses that stay. */
  isRenamed(companyId: string): boolean {
    return this.#renamed.has(companyId);
  }

  /** Whether one of the licenses that stay has another UBI. */
  hasNewUbi(companyId: string): boolean {
    return this.#withNewUbi.has(companyId);
  }

  #toDeparture(before: LicenseState, after: LicenseState): Departure {
    if (!after.active) return toInactiveReason(after, this.#includeLabs);
    if (isSold(before, after)) return 'sold';
    return before.ubiKey === after.ubiKey ? 'merged' : 'new_ubi';
  }
}

function addFirst<Event>(events: Map<string, Event>, companyId: string, event: Event, order: readonly Event[]): void {
  const known = events.get(companyId);
  if (known === undefined || order.indexOf(event) < order.indexOf(known)) events.set(companyId, event);
}

function toArrival(before: LicenseState | undefined, after: LicenseState): Arrival {
  if (before === undefined || before.contentHash === '') return 'first_seen';
  if (before.companyId !== after.companyId && isSold(before, after)) return 'bought';
  if (!before.active) return 'returned';
  return before.ubiKey === after.ubiKey ? 'split_out' : 'new_ubi';
}

/** A UBI where there was none before is new information, not a sale. */
const isSold = (before: LicenseState, after: LicenseState): boolean =>
  before.ubiKey !== null && before.ubiKey !== after.ubiKey;

function toCompanyReason({ kind, before, after }: CompanyStep, events: CompanyEvents): CompanyReason {
  const arrival = events.findArrival(after.id);
  if (before === undefined) return arrival ?? 'first_seen';
  if (kind === 'company.archived') {
    return events.findDeparture(after.id) ?? (after.supersededBy === null ? 'vanished' : 'merged');
  }
  if (kind === 'company.reactivated') return arrival === 'first_seen' ? 'joined' : (arrival ?? 'split_out');
  return toUpdateReason(before, after, events);
}

function toUpdateReason(before: CompanyState, after: CompanyState, events: CompanyEvents): CompanyReason {
  const exchange = findExchange(after.id, events);
  if (before.ubiKey !== after.ubiKey) return events.hasNewUbi(after.id) ? 'new_ubi' : (exchange ?? 'new_ubi');
  if (before.sourceName !== after.sourceName) {
    return events.isRenamed(after.id) ? 'renamed' : (exchange ?? 'details_changed');
  }
  if (before.ubi !== after.ubi) return exchange ?? 'details_changed';
  if (before.isOwnCompany !== after.isOwnCompany) return exchange ?? 'own_ubi_changed';
  return before.supersededBy === after.supersededBy ? 'display_name_changed' : 'successor_changed';
}

/** Why the company has other licenses than before. Undefined if it has the same ones. */
function findExchange(companyId: string, events: CompanyEvents): CompanyReason | undefined {
  const arrival = events.findArrival(companyId);
  if (arrival !== undefined) return arrival === 'bought' || arrival === 'returned' ? arrival : 'joined';
  const departure = events.findDeparture(companyId);
  return departure === 'merged' || departure === 'new_ubi' ? 'left' : departure;
}

function toLicenseReason(
  before: LicenseStep['before'],
  after: LicenseStep['after'],
  { includeLabs, decision }: { readonly includeLabs: boolean; readonly decision: VendorDecision | undefined },
): LicenseReason {
  if (before === undefined) return 'first_seen';
  if (isSold(before, after)) return 'sold';
  if (before.active && !after.active) return toInactiveReason(after, includeLabs);
  if (before.contentHash === '' && after.contentHash !== '') return 'first_listed';
  if (!before.active && after.active) return 'returned';
  if (before.missingSinceDatetime !== after.missingSinceDatetime) {
    return after.missingSinceDatetime === null ? 'returned' : 'vanished';
  }
  if (before.ubiKey !== after.ubiKey) return 'new_ubi';
  if (before.companyId !== after.companyId) {
    if (before.namedByCompanyId !== after.namedByCompanyId) return 'added_manually';
    return isDecided(before.companyId, after.companyId, decision) ? 'decided_by_user' : 'strategy';
  }
  return before.contentHash === after.contentHash && before.ubi === after.ubi
    ? 'own_company_assigned'
    : 'details_changed';
}

function toInactiveReason(
  { missingSinceDatetime, isLab }: LicenseState,
  includeLabs: boolean,
): 'vanished' | 'deleted_by_state' | 'labs_excluded' {
  if (missingSinceDatetime !== null) return 'vanished';
  return isLab && !includeLabs ? 'labs_excluded' : 'deleted_by_state';
}

/** Whether a move follows a decision: to the chosen company, or between companies that a user keeps apart. */
function isDecided(from: string, to: string, decision: VendorDecision | undefined): boolean {
  if (decision === undefined) return false;
  return to === decision.companyId || (decision.companyIds.includes(from) && decision.companyIds.includes(to));
}
