import type { ListedLicense } from '../../domain/listed-license.js';
import { forEachYielding, type Yielding } from '../../domain/yielding.js';

/** The part of a published license that comparing lists needs. */
export interface PublishedLicense {
  readonly licenseKey: string;
  readonly contentHash: string;
  readonly isLab: boolean;
  readonly isDeleted: boolean;
  readonly isMissing: boolean;
}

/** What it means that a published license is not in a new list. `not_covered`: the new list does not cover laboratories. */
export interface Absences {
  readonly vendors: 'missing' | 'doubtful';
  readonly labs: 'missing' | 'doubtful' | 'not_covered';
}

/** The difference between a new list and the published one. */
export interface Comparison {
  readonly added: readonly ListedLicense[];
  /** With other content than before, or listed again. */
  readonly changed: readonly ListedLicense[];
  /** No longer listed. */
  readonly missing: readonly PublishedLicense[];
  /** Not listed, but the new list has rows that cannot be assigned to a license. */
  readonly doubtful: readonly PublishedLicense[];
  /** Laboratories from an earlier list that stay published, because the new list does not cover laboratories. */
  readonly notCovered: number;
  /** Of the licenses that `vendors` and `labs` count as removed. */
  readonly removedKeys: readonly string[];
  readonly vendors: ActiveCounts;
  readonly labs: ActiveCounts;
}

/** Of one list. */
export interface ActiveCounts {
  /** Licenses that are published as active. */
  readonly active: number;
  /** How many of them are missing or listed as deleted. */
  readonly removed: number;
}

export function* compareWithPublished(
  licenses: readonly ListedLicense[],
  published: readonly PublishedLicense[],
  absences: Absences,
): Yielding<Comparison> {
  const added: ListedLicense[] = [];
  const changed: ListedLicense[] = [];
  const missing: PublishedLicense[] = [];
  const doubtful: PublishedLicense[] = [];
  const removedKeys: string[] = [];
  let notCovered = 0;
  const vendors = { active: 0, removed: 0 };
  const labs = { active: 0, removed: 0 };
  const countsOf = ({ isLab }: PublishedLicense) => (isLab ? labs : vendors);
  const remove = (license: PublishedLicense): void => {
    countsOf(license).removed += 1;
    removedKeys.push(license.licenseKey);
  };
  const unlisted = new Map<string, PublishedLicense>();
  yield* forEachYielding(published, (license) => {
    unlisted.set(license.licenseKey, license);
    if (isActive(license)) countsOf(license).active += 1;
  });
  yield* forEachYielding(licenses, (license) => {
    const before = unlisted.get(license.licenseKey);
    if (before === undefined) return void added.push(license);
    unlisted.delete(license.licenseKey);
    if (!before.isMissing && before.contentHash === license.contentHash) return;
    changed.push(license);
    if (license.isDeleted && isActive(before)) remove(before);
  });
  yield* forEachYielding(unlisted.values(), (license) => {
    if (license.isMissing) return;
    const absence = license.isLab ? absences.labs : absences.vendors;
    if (absence === 'missing') {
      missing.push(license);
      if (isActive(license)) remove(license);
    } else if (absence === 'doubtful') doubtful.push(license);
    else notCovered += 1;
  });
  return { added, changed, missing, doubtful, notCovered, removedKeys, vendors, labs };
}

const isActive = ({ isMissing, isDeleted }: PublishedLicense): boolean => !isMissing && !isDeleted;
