import { toNameKey } from '../../domain/key.js';
import { forEachYielding, type Yielding } from '../../domain/yielding.js';
import type { CompanyState, LicenseState, Snapshot, SyncPlan } from '../../mapping/index.js';

/** Active companies that share a name, so that they look the same in LeafLink, which shows customers by name. */
export interface NamesakeGroup {
  readonly name: string;
  readonly count: number;
  readonly companies: readonly { readonly licenseNumbers: readonly string[]; readonly ubi: string | null }[];
}

/** The active companies and licenses after a plan. */
export interface PlannedState {
  readonly companies: readonly CompanyState[];
  readonly licenses: readonly LicenseState[];
}

export function* toPlannedState(
  snapshot: Snapshot,
  plan: Pick<SyncPlan, 'companies' | 'licenses'>,
): Yielding<PlannedState> {
  const companies = yield* applySteps(snapshot.companies, plan.companies);
  const licenses = yield* applySteps(snapshot.licenses, plan.licenses);
  return {
    companies: companies.filter(({ archivedDatetime }) => archivedDatetime === null),
    licenses: licenses.filter(({ active }) => active),
  };
}

function* applySteps<State extends { readonly id: string }>(
  present: readonly State[],
  steps: readonly { readonly after: State }[],
): Yielding<State[]> {
  const states = new Map<string, State>();
  yield* forEachYielding(present, (state) => states.set(state.id, state));
  yield* forEachYielding(steps, ({ after }) => states.set(after.id, after));
  return [...states.values()];
}

const MAX_COMPANIES_PER_GROUP = 20;

/** Sorted by size, largest first. */
export function* toNamesakes({ companies, licenses }: PlannedState): Yielding<NamesakeGroup[]> {
  const byName = new Map<string, CompanyState[]>();
  yield* forEachYielding(companies, (company) => addToGroup(byName, toNameKey(nameOf(company)), company));
  const groups = [...byName.values()].filter((group) => group.length > 1);
  const numbers = new Map<string, string[]>(groups.flat().map(({ id }) => [id, []]));
  yield* forEachYielding(licenses, ({ companyId, licenseNumber }) => numbers.get(companyId)?.push(licenseNumber));
  return groups
    .sort((a, b) => b.length - a.length)
    .map((group) => ({
      name: nameOf(group[0] as CompanyState),
      count: group.length,
      companies: group
        .slice(0, MAX_COMPANIES_PER_GROUP)
        .map(({ id, ubi }) => ({ licenseNumbers: numbers.get(id) ?? [], ubi })),
    }));
}

const nameOf = ({ editedName, sourceName }: CompanyState): string => editedName ?? sourceName ?? '';

function addToGroup<Value>(groups: Map<string, Value[]>, key: string, value: Value): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}

/** The JSON of a group, in the advice and in the plan items of a preview. */
export const toNamesakesReply = ({ name, count, companies }: NamesakeGroup) => ({
  name,
  count,
  companies: companies.map(({ licenseNumbers, ubi }) => ({ license_numbers: [...licenseNumbers], ubi })),
});
