import { hash } from 'node:crypto';
import type { BiotrackTarget } from '../../biotrack/index.js';
import { type Db, type OperatorTx, withOperator } from '../../db/database.js';
import type { DirectoryWarning } from '../../domain/directory-warning.js';
import { isShrunk } from '../../domain/guard.js';
import { toLicenseKey } from '../../domain/key.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import type { Activity, Vendor } from '../../domain/vendor.js';
import { mapAsync, runYielding } from '../../domain/yielding.js';
import { collateYielding } from '../../mapping/index.js';
import { TRUSTED_SECONDS } from './checksum.js';
import type { IllegibleRows, StateList } from './fetch-list.js';
import { toFingerprint } from './fingerprint.js';
import {
  addLastUbis,
  type DirectoryEntry,
  savePublication,
  selectListings,
  selectPublished,
  selectTransporters,
} from './listing-repository.js';
import { resolvePartlyRead, toPartlyReadKeys } from './partly-read.js';
import { type Absences, type Comparison, compareWithPublished, type PublishedLicense } from './publication.js';
import {
  type Directory,
  findDirectory,
  type ListRefusal,
  type LockedDirectory,
  lockDirectory,
  type Removal,
  saveIdenticalList,
  saveListRefusal,
  saveRefresh,
} from './repository.js';

/** The list is valid but removes too many licenses. It is probably an error of the state; an operator can accept it. */
export class ListShrunkError extends Error {
  readonly refusal: ListRefusal;
  /** Of the refused list. */
  readonly requestNumber: number;

  constructor(refusal: ListRefusal, requestNumber: number) {
    super("the state's list is much shorter than before");
    this.name = 'ListShrunkError';
    this.refusal = refusal;
    this.requestNumber = requestNumber;
  }
}

export interface PublishOptions {
  readonly withLabs: boolean;
  /** Compare the content of every license, even if the fingerprint of the list is the published one. */
  readonly comparesContent: boolean;
  /** Refuse a list that removes more than this percentage of the licenses. */
  readonly guardRemovalPercent: number;
  /** Taken before the list was requested. */
  readonly requestNumber: number;
  readonly checksum: string | null;
  /** What was published before the list was requested. */
  readonly present: Directory | undefined;
}

export interface PublishResult {
  readonly directory: Directory;
  /** Everything that is listed now; undefined if not all of it was read here. */
  readonly licenses?: readonly ListedLicense[] | undefined;
  /** Another process published a newer list meanwhile, which stays. */
  readonly isSuperseded: boolean;
}

/**
 * Writes only the difference to the published list. The version changes only if the content does.
 * @throws ListShrunkError if the list removes too many licenses
 */
export async function publish(
  db: Db,
  target: BiotrackTarget,
  list: StateList,
  options: PublishOptions,
): Promise<PublishResult> {
  try {
    for (;;) {
      const result = await tryPublish(db, target, list, options);
      if (result !== undefined) return result;
    }
  } catch (error) {
    if (error instanceof ListShrunkError) {
      await withOperator(db, (tx) => saveListRefusal(tx, target, error.refusal));
    }
    throw error;
  }
}

/** Undefined if another list was published after the known values were read. */
async function tryPublish(
  db: Db,
  target: BiotrackTarget,
  list: StateList,
  options: PublishOptions,
): Promise<PublishResult | undefined> {
  const known = await loadKnown(db, target, list);
  const rows = await runYielding(resolvePartlyRead(list, known.entries));
  const vendors = await withTransporters(rows.vendors, new Set([...known.transporters, ...list.transporters]));
  // A partly read list never counts as identical: its rows are completed from what is published.
  const fingerprint = list.partlyRead.length > 0 ? null : await toFingerprint({ ...list, vendors });
  const lock = (tx: OperatorTx): Promise<LockedDirectory> => lockDirectory(tx, target.state, target.environment);
  const isProbablySame =
    !options.comparesContent && options.present !== undefined && isSame(options.present, fingerprint);
  const saveIdentical = async (tx: OperatorTx): Promise<PublishResult | undefined> => {
    const directory = await lock(tx);
    if (isNewer(directory, options)) return toSuperseded(directory);
    if (!isSame(directory, fingerprint)) return undefined;
    const facts = { ...options, fingerprint, warnings: toWarnings(list, directory, options) };
    const saved = await saveIdenticalList(tx, directory.id, facts);
    return { directory: saved, isSuperseded: false };
  };
  const identical = isProbablySame ? await withOperator(db, saveIdentical) : undefined;
  if (identical !== undefined) return identical;
  // Outside a transaction, because hashing a large list takes seconds.
  const { licenses, duplicates } = await runYielding(collateYielding(vendors, toDigest));
  return withOperator(db, async (tx) => {
    const directory = await lock(tx);
    if (isNewer(directory, options)) return toSuperseded(directory);
    if (known.version !== undefined && known.version !== directory.version) return undefined;
    const published = directory.isNew ? [] : await selectPublished(tx, directory.id);
    const absences = toAbsences(list, directory.illegible);
    const comparison = await runYielding(compareWithPublished(licenses, published, absences));
    const isShrinkAccepted = requireBelievable(comparison, licenses, directory, options);
    const { missing, kept, keptDigest, isAccepted } = decideMissing(comparison, directory);
    const { added, changed, notCovered } = comparison;
    const isChanged = added.length + changed.length + missing.length > 0;
    const version = directory.version + (isChanged || directory.version === 0 ? 1 : 0);
    await savePublication(tx, directory.id, version, { added, changed, missing: missing.map(toKey) });
    const saved = await saveRefresh(tx, directory.id, {
      ...options,
      // While licenses are kept, the same list must be compared again: an operator may confirm that they are gone.
      ...(kept.length === 0
        ? { fingerprint, illegible: toIllegible(list) }
        : { fingerprint: null, checksum: null, illegible: {} }),
      refusedDigest: keptDigest,
      isRemovalAccepted: isShrinkAccepted || isAccepted,
      version,
      fetchedRows: list.fetched + notCovered + kept.length,
      duplicateRows: duplicates + rows.dropped,
      skips: rows.skips,
      warnings: toWarnings(list, directory, options, kept.length),
    });
    if (notCovered + kept.length > 0) return { directory: saved, isSuperseded: false };
    const listed = directory.isNew ? licenses : await addLastUbis(tx, directory.id, licenses);
    return { directory: saved, isSuperseded: false, licenses: listed };
  });
}

const toSuperseded = (directory: Directory): PublishResult => ({ directory, isSuperseded: true });

interface MissingDecision {
  readonly missing: readonly PublishedLicense[];
  /** Not listed, but perhaps only because their license number cannot be read. */
  readonly kept: readonly PublishedLicense[];
  /** With which an operator can confirm that the kept licenses are gone; null if there are none. */
  readonly keptDigest: string | null;
  /** Whether an operator confirmed that licenses are gone. */
  readonly isAccepted: boolean;
}

function decideMissing({ missing, doubtful }: Comparison, { acceptedDigest }: Directory): MissingDecision {
  if (doubtful.length === 0) return { missing, kept: [], keptDigest: null, isAccepted: false };
  const digest = toDigest(doubtful.map(toKey).sort().join());
  return digest === acceptedDigest
    ? { missing: [...missing, ...doubtful], kept: [], keptDigest: null, isAccepted: true }
    : { missing, kept: doubtful, keptDigest: digest, isAccepted: false };
}

interface Known {
  /** Of the directory from which the entries were read; undefined if nothing had to be read. */
  readonly version: number | undefined;
  /** What is published for the licenses with partly read rows. */
  readonly entries: ReadonlyMap<string, DirectoryEntry>;
  /** The published transporters, if their list could not be read. */
  readonly transporters: ReadonlySet<string>;
}

const NOTHING_KNOWN: Known = { version: undefined, entries: new Map(), transporters: new Set() };

/** What is published where the list has no readable value. */
async function loadKnown(db: Db, { state, environment }: BiotrackTarget, list: StateList): Promise<Known> {
  if (list.partlyRead.length === 0 && list.hasTransporters) return NOTHING_KNOWN;
  return withOperator(db, async (tx) => {
    const directory = await findDirectory(tx, state, environment);
    if (directory === undefined) return { ...NOTHING_KNOWN, version: 0 };
    const entries = await selectListings(tx, directory.id, [...toPartlyReadKeys(list.partlyRead)]);
    return {
      version: directory.version,
      entries: new Map(entries.map((entry) => [entry.licenseKey, entry])),
      transporters: list.hasTransporters ? new Set() : await selectTransporters(tx, directory.id),
    };
  });
}

async function withTransporters(
  vendors: readonly Vendor[],
  transporters: ReadonlySet<string>,
): Promise<readonly Vendor[]> {
  if (transporters.size === 0) return vendors;
  return mapAsync(vendors, (vendor) => {
    if (vendor.isLab || !transporters.has(toLicenseKey(vendor.licenseNumber))) return vendor;
    const activities = new Set<Activity>([...vendor.activities, 'transporter']);
    return { ...vendor, activities: [...activities].sort() };
  });
}

const toKey = ({ licenseKey }: PublishedLicense): string => licenseKey;

/** Unknown for laboratories if they were not read. */
const toIllegible = ({ illegible: { vendors, labs }, hasLabs }: StateList): Partial<IllegibleRows> => ({
  vendors,
  ...(hasLabs && { labs }),
});

/** A license that is not listed can be a row without a readable number, if the published list did not have that row. */
const toAbsences = ({ illegible, hasLabs }: StateList, published: IllegibleRows): Absences => ({
  vendors: hasNewRow(illegible.vendors, published.vendors) ? 'doubtful' : 'missing',
  labs: !hasLabs ? 'not_covered' : hasNewRow(illegible.labs, published.labs) ? 'doubtful' : 'missing',
});

/** Equal digests are counted: two rows can have the same content. */
function hasNewRow(digests: readonly string[], published: readonly string[]): boolean {
  const left = new Map<string, number>();
  for (const digest of published) left.set(digest, (left.get(digest) ?? 0) + 1);
  for (const digest of digests) {
    const many = left.get(digest) ?? 0;
    if (many === 0) return true;
    left.set(digest, many - 1);
  }
  return false;
}

/**
 * Whether a list removes too many of its licenses, but was accepted by an operator.
 * @throws ListShrunkError if it was not accepted
 */
function requireBelievable(
  { vendors, labs, removedKeys }: Comparison,
  licenses: readonly ListedLicense[],
  { acceptedDigest }: Directory,
  { guardRemovalPercent, requestNumber }: PublishOptions,
): boolean {
  const shrunk = [
    { ...vendors, list: 'licenses' as const },
    { ...labs, list: 'laboratories' as const },
  ].filter(({ removed, active }) => isShrunk(removed, active, guardRemovalPercent));
  if (shrunk.length === 0) return false;
  const digest = toDigest(licenses.map(({ contentHash }) => contentHash).join());
  if (digest === acceptedDigest) return true;
  const removals = shrunk.map(({ list, removed, active }): Removal => ({ list, removed, active }));
  throw new ListShrunkError({ digest, removals, removedKeys }, requestNumber);
}

/** @param kept how many licenses are kept although they are not listed */
function toWarnings(
  { notRead, partlyRead }: StateList,
  { warnings }: Directory,
  { withLabs }: PublishOptions,
  kept = 0,
): DirectoryWarning[] {
  const isOfLabs = (warning: DirectoryWarning): boolean =>
    warning.code === 'list_not_read' && warning.action === 'sync_qa_lab';
  return [
    ...(kept === 0 ? [] : [{ code: 'missing_kept', licenseNumber: null, licenses: kept } as const]),
    ...notRead.map((action) => ({ code: 'list_not_read', licenseNumber: null, action }) as const),
    // Without laboratories, what is known about their list stays.
    ...(withLabs ? [] : warnings.filter(isOfLabs)),
    ...partlyRead.flatMap(({ vendor: { licenseNumber }, unreadable }) =>
      unreadable.map(({ field, reason }) => ({ code: 'row_partly_read', licenseNumber, field, reason }) as const),
    ),
  ];
}

/** Whether the published list was requested after this one: another process asked later and was answered sooner. */
const isNewer = (directory: Directory, { requestNumber }: PublishOptions): boolean =>
  directory.requestNumber > requestNumber;

/** Like the state's checksum, an equal fingerprint is trusted for a day; then the content is compared again. */
const isSame = (directory: Directory, fingerprint: string | null): boolean =>
  fingerprint !== null &&
  directory.fingerprint === fingerprint &&
  directory.comparedAgeSeconds !== null &&
  directory.comparedAgeSeconds < TRUSTED_SECONDS;

/** 128 bits of SHA-256: accidental collisions are negligible, and a license holder gains nothing from an intentional one. */
const toDigest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 22);
