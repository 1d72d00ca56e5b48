import { toNameKey } from '../../domain/key.js';
import { eachInSteps, type Turns } from '../../domain/turns.js';
import type { CompanyState, LicenseState, Snapshot, SyncPlan } from '../../mapping/index.js';

/** Active companies of one name: LeafLink, which shows a customer by its name, could not tell them apart. */
export interface NamesakeGroup {
  readonly name: string;
  readonly count: number;
  readonly companies: readonly { readonly licenseNumbers: readonly string[]; readonly ubi: string | null }[];
}

/** The active companies and licenses that a plan leaves behind. */
export interface Outcome {
  readonly companies: readonly CompanyState[];
  readonly licenses: readonly LicenseState[];
}

export function* toOutcome(snapshot: Snapshot, plan: Pick<SyncPlan, 'companies' | 'licenses'>): Turns<Outcome> {
  const companies = yield* lay(snapshot.companies, plan.companies);
  const licenses = yield* lay(snapshot.licenses, plan.licenses);
  return {
    companies: companies.filter(({ archivedDatetime }) => archivedDatetime === null),
    licenses: licenses.filter(({ active }) => active),
  };
}

function* lay<State extends { readonly id: string }>(
  present: readonly State[],
  steps: readonly { readonly after: State }[],
): Turns<State[]> {
  const states = new Map<string, State>();
  yield* eachInSteps(present, (state) => states.set(state.id, state));
  yield* eachInSteps(steps, ({ after }) => states.set(after.id, after));
  return [...states.values()];
}

const MAX_COMPANIES_OF_A_GROUP = 20;

/** The largest groups first. */
export function* toNamesakes({ companies, licenses }: Outcome): Turns<NamesakeGroup[]> {
  const byName = new Map<string, CompanyState[]>();
  yield* eachInSteps(companies, (company) => put(byName, toNameKey(nameOf(company)), company));
  const groups = [...byName.values()].filter((group) => group.length > 1);
  const numbers = new Map<string, string[]>(groups.flat().map(({ id }) => [id, []]));
  yield* eachInSteps(licenses, ({ companyId, licenseNumber }) => numbers.get(companyId)?.push(licenseNumber));
  return groups
    .sort((a, b) => b.length - a.length)
    .map((group) => ({
      name: nameOf(group[0] as CompanyState),
      count: group.length,
      companies: group
        .slice(0, MAX_COMPANIES_OF_A_GROUP)
        .map(({ id, ubi }) => ({ licenseNumbers: numbers.get(id) ?? [], ubi })),
    }));
}

const nameOf = ({ editedName, sourceName }: CompanyState): string => editedName ?? sourceName ?? '';

function put<Value>(groups: Map<string, Value[]>, key: string, value: Value): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}

/** As callers see it: in the advice, and as an item of a preview's plan. */
export const toNamesakesReply = ({ name, count, companies }: NamesakeGroup) => ({
  name,
  count,
  companies: companies.map(({ licenseNumbers, ubi }) => ({ license_numbers: [...licenseNumbers], ubi })),
});
