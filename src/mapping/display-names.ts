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
 * `name – city`, then `name – license number` (or UBI), then with the end of the id, and finally with the whole id. The
 * order of the companies does not matter.
 */
export function toDisplayNames(namesakes: readonly Nameable[]): ReadonlyMap<string, string> {
  const [first] = namesakes;
  // Fast path: most companies have a unique name.
  if (first !== undefined && namesakes.length === 1) return new Map([[first.id, first.name]]);
  const named = namesakes.map((company) => ({ id: company.id, candidates: toCandidates(company), level: 0 }));
  for (;;) {
    const clashing = findClashing(named);
    if (clashing.length === 0) return new Map(named.map((entry) => [entry.id, toCandidate(entry)]));
    for (const entry of clashing) entry.level += 1;
  }
}

interface Named {
  readonly id: string;
  readonly candidates: readonly string[];
  level: number;
}

const toCandidate = ({ candidates, level }: Named): string => candidates[level] as string;

function toCandidates({ id, name, city, number }: Nameable): string[] {
  const suffixes = [city, number].filter((suffix) => suffix !== null);
  return [
    name,
    ...suffixes.map((suffix) => name + SEPARATOR + suffix),
    // The end of the id, because ids generated together have the same start.
    [name, ...suffixes.slice(-1), id.slice(-8)].join(SEPARATOR),
    name + SEPARATOR + id,
  ];
}

/** Companies that share their current candidate with another one and have a longer candidate left. */
function findClashing(named: readonly Named[]): Named[] {
  const byName = new Map<string, Named[]>();
  for (const entry of named) {
    const key = toNameKey(toCandidate(entry));
    const entries = byName.get(key);
    if (entries === undefined) byName.set(key, [entry]);
    else entries.push(entry);
  }
  return [...byName.values()]
    .filter((entries) => entries.length > 1)
    .flatMap((entries) => entries.filter(({ candidates, level }) => level < candidates.length - 1));
}
