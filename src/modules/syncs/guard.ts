import type { PlanImpact } from '../../mapping/index.js';

/** So few may always change: in a small state ten percent is one license. */
const ALWAYS_ALLOWED = 10;

const WORDS = {
  removed: 'would become inactive',
  moved: 'would go to another company',
  renamed: 'would rename their company',
} as const;

/**
 * What a plan does to so many of the tenant's active licenses that a person has to look at it first, in words; undefined
 * if it may be applied.
 * @param percent of the active licenses; 100 guards nothing
 */
export function findExcess(impact: PlanImpact, percent: number): string | undefined {
  const most = Math.max(ALWAYS_ALLOWED, (impact.activeLicenses * percent) / 100);
  const excesses = (['removed', 'moved', 'renamed'] as const)
    .filter((kind) => percent < 100 && impact[kind] > most)
    .map((kind) => `${impact[kind]} of ${impact.activeLicenses} licenses ${WORDS[kind]}`);
  return excesses.length === 0 ? undefined : excesses.join(', ');
}
