import { toNameKey } from '../domain/key.js';

const SEPARATOR = ' – ';

/** The fields of an active company that can appear in its display name. */
export interface Nameable {
  readonly id: string;
  readonly name: string;
  readonly city: string | null;
  /** A license number, or the UBI of a company with several licenses. */
  readonly number: string | null;
}

/**
 * The name up to its first dash. Two companies can only get the same display name if they are in the same group, so a
 * change in one group never affects the display names of another.
 */
export const toNameGroup = (name: string): string => (toNameKey(name).split('–')[0] as string).trimEnd();

/**
 * Display names for all active companies of one name group, unique within the group: the name if it is unique, then
 * `name – city`, then `name – license number` (or UBI), then with the end of the id, and finally with the whole id. A
 * shorter name has precedence over the same name with a suffix. The order of the companies does not matter.
 */
export function toDisplayNames(namesakes: readonly Nameable[]): ReadonlyMap<string, string> {
  const [first] = namesakes;
  // Fast path: most companies have a unique name.
  if (first !== undefined && namesakes.length === 1) return new Map([[first.id, first.name]]);
  const displayNames = new Map<string, string>();
  // The last candidates are reserved, so that every company gets a name.
  const taken = new Set(namesakes.map((company) => toNameKey(toLastCandidate(company))));
  let unnamed = namesakes;
  for (const toCandidate of CANDIDATES) {
    const byKey = groupByCandidate(unnamed, toCandidate);
    const named = new Set<Nameable>();
    for (const [key, { companies, candidate }] of byKey) {
      const [only] = companies;
      if (only === undefined || companies.length > 1 || taken.has(key)) continue;
      taken.add(key);
      named.add(only);
      displayNames.set(only.id, candidate);
    }
    unnamed = unnamed.filter((company) => !named.has(company));
  }
  for (const company of unnamed) displayNames.set(company.id, toLastCandidate(company));
  return displayNames;
}

const toLastCandidate = ({ id, name }: Nameable): string => name + SEPARATOR + id;

const withSuffix = (name: string, suffix: string | null): string | undefined =>
  suffix === null ? undefined : name + SEPARATOR + suffix;

/** The shortest first. Undefined if the company has nothing to add. */
const CANDIDATES: readonly ((company: Nameable) => string | undefined)[] = [
  ({ name }) => name,
  ({ name, city }) => withSuffix(name, city),
  ({ name, number }) => withSuffix(name, number),
  // The end of the id, because ids generated together have the same start.
  ({ name, city, number, id }) => [name, number ?? city ?? [], id.slice(-8)].flat().join(SEPARATOR),
];

interface Claim {
  readonly candidate: string;
  readonly companies: Nameable[];
}

function groupByCandidate(
  companies: readonly Nameable[],
  toCandidate: (company: Nameable) => string | undefined,
): ReadonlyMap<string, Claim> {
  const byKey = new Map<string, Claim>();
  for (const company of companies) {
    const candidate = toCandidate(company);
    if (candidate === undefined) continue;
    const key = toNameKey(candidate);
    const claim = byKey.get(key);
    if (claim === undefined) byKey.set(key, { candidate, companies: [company] });
    else claim.companies.push(company);
  }
  return byKey;
}
