import { isTooMuch } from '../../domain/guard.js';
import type { PlanImpact } from '../../mapping/index.js';

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
  const excesses = (['removed', 'moved', 'renamed'] as const)
    .filter((kind) => isTooMuch(impact[kind], impact.activeLicenses, percent))
    .map((kind) => `${impact[kind]} of ${impact.activeLicenses} licenses ${WORDS[kind]}`);
  return excesses.length === 0 ? undefined : excesses.join(', ');
}
