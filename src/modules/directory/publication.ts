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

/** The difference between a new list and the published one. */
export interface Publication {
  readonly added: readonly ListedLicense[];
  /** With other content than before, or listed again. */
  readonly changed: readonly ListedLicense[];
  /** Keys of licenses that are no longer listed. */
  readonly missing: readonly string[];
}

export interface Comparison extends Publication {
  /** Laboratories from an earlier list that stay published, because the new list does not cover laboratories. */
  readonly kept: number;
  /** Licenses that are published as active. */
  readonly active: number;
  /** How many of the active ones are no longer listed, or are listed as deleted. */
  readonly removed: number;
}

/** @param hasLabs whether the new list covers laboratories; if not, absent laboratories are not missing */
export function* compareWithPublished(
  licenses: readonly ListedLicense[],
  published: readonly PublishedLicense[],
  hasLabs: boolean,
): Yielding<Comparison> {
  const added: ListedLicense[] = [];
  const changed: ListedLicense[] = [];
  const missing: string[] = [];
  let [kept, active, removed] = [0, 0, 0];
  const unlisted = new Map<string, PublishedLicense>();
  yield* forEachYielding(published, (license) => {
    unlisted.set(license.licenseKey, license);
    if (isActive(license)) active += 1;
  });
  yield* forEachYielding(licenses, (license) => {
    const before = unlisted.get(license.licenseKey);
    if (before === undefined) return void added.push(license);
    unlisted.delete(license.licenseKey);
    if (!before.isMissing && before.contentHash === license.contentHash) return;
    changed.push(license);
    if (license.isDeleted && isActive(before)) removed += 1;
  });
  yield* forEachYielding(unlisted.values(), (license) => {
    if (license.isMissing) return;
    if (license.isLab && !hasLabs) {
      kept += 1;
      return;
    }
    missing.push(license.licenseKey);
    if (isActive(license)) removed += 1;
  });
  return { added, changed, missing, kept, active, removed };
}

const isActive = ({ isMissing, isDeleted }: PublishedLicense): boolean => !isMissing && !isDeleted;
