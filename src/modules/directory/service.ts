import { hash } from 'node:crypto';
import {
  type Biotrack,
  BiotrackError,
  type BiotrackLogin,
  type BiotrackSession,
  type BiotrackTarget,
  type VendorList,
} from '../../biotrack/index.js';
import { type Db, type OperatorTx, type Tx, withOperator } from '../../db/database.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import type { UpstreamReason } from '../../domain/failure-reason.js';
import { isTooMuch } from '../../domain/guard.js';
import { toLicenseKey } from '../../domain/key.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import type { Activity, Vendor } from '../../domain/vendor.js';
import { mapAsync, runYielding } from '../../domain/yielding.js';
import { collateYielding, MAPPING_VERSION } from '../../mapping/index.js';
import { toFingerprint } from './fingerprint.js';
import { createKeptLists } from './kept-lists.js';
import { withDirectoryLease } from './lease.js';
import { compareWithPublished } from './publication.js';
import {
  type Directory,
  findDirectory,
  findDirectorySummary,
  lockDirectory,
  saveListRefusal,
  savePublication,
  saveRefresh,
  saveSame,
  saveUnchanged,
  selectPublished,
  selectTransporters,
} from './repository.js';

export interface DirectoryRequest {
  readonly target: BiotrackTarget;
  readonly login: BiotrackLogin;
  /** Called right before the login is used: it may have been refused since it was looked up. Throws if so. */
  readonly confirmLogin: () => Promise<void>;
  /** Told of trouble that came of this login, before anybody else can use it again. */
  readonly noteTrouble: (error: BiotrackError) => Promise<void>;
  readonly includeLabs: boolean;
  /** Ask the state even if the directory is young. */
  readonly force: boolean;
  /** Comes again later where many wait for the state's answer already, rather than to be one more who holds a place. */
  readonly makesWay?: boolean;
  readonly signal?: AbortSignal;
}

export interface DirectoryService {
  /**
   * Makes sure that the state's directory is not older than configured, with this login if it has to be fetched.
   * However many ask at once, the state is asked once.
   * @throws BiotrackError when the state cannot be read; the directory stays as it was
   * @throws CrowdedError who makes way, where a state has been slow for a moment and many wait for it
   */
  ensureFresh(db: Db, request: DirectoryRequest): Promise<Directory>;
  /**
   * All that the state lists. It is read once for the tenants that ask for it one after the other.
   * @param directory as this transaction holds it: nobody publishes meanwhile
   */
  listLicenses(tx: Tx, directory: Directory): Promise<readonly ListedLicense[]>;
}

export interface DirectoryServiceOptions {
  readonly biotrack: Biotrack;
  readonly maxAgeSeconds: number;
  /** A list that takes away more than this share of the licenses (and more than a few) is not believed. */
  readonly guardRemovalPercent: number;
}

/** The list is whole and valid, and much shorter than the one before: more likely a mishap than the truth. */
export class ListShrunkError extends Error {
  readonly digest: string;

  constructor(message: string, digest: string) {
    super(message);
    this.name = 'ListShrunkError';
    this.digest = digest;
  }
}

/** Enough wait for this state's answer already. */
export class DirectoryBusyError extends Error {}

/** So many who would make way wait for a state all the same: fewer than a worker has places. */
const MOST_WAITING = 3;
/** An answer that comes sooner is waited for by all. */
const CROWD_PATIENCE_MS = 1_000;

/** The reasons that are the fault of the login that was used: somebody else's may do better. */
const PERSONAL_REASONS: readonly UpstreamReason[] = ['credentials_rejected', 'ubi_rejected', 'privilege_missing'];

/** What came of making sure: the directory, and whether the state was asked for it just now. */
interface Landing {
  readonly directory: Directory;
  readonly asked: boolean;
}

interface Flight {
  readonly landing: Promise<Landing>;
  /** Of who leads: his going is no news about the state. */
  readonly signal: AbortSignal | undefined;
  readonly login: BiotrackLogin;
  readonly startedAt: number;
  /** How many who would make way hold a place, its leader too. */
  waiting: number;
}

const isSameLogin = (a: BiotrackLogin, b: BiotrackLogin): boolean =>
  a.ubi === b.ubi && a.username === b.username && a.password.reveal() === b.password.reveal();

export function createDirectoryService({
  biotrack,
  maxAgeSeconds,
  guardRemovalPercent,
}: DirectoryServiceOptions): DirectoryService {
  const flights = new Map<string, Flight>();
  const keptLists = createKeptLists();

  return {
    listLicenses: keptLists.read,
    async ensureFresh(db, request) {
      const { target, login, includeLabs, force, signal } = request;
      const key = `${target.state}/${target.environment}`;
      for (;;) {
        const flight = flights.get(key);
        if (flight === undefined) break;
        const landing = await join(flight, request);
        const isEnough = landing !== undefined && (landing.asked || !force) && isFresh(landing.directory, includeLabs);
        if (isEnough) return landing.directory;
      }
      const landing = refreshOrNote(db, request).finally(() => flights.delete(key));
      const waiting = request.makesWay === true ? 1 : 0;
      flights.set(key, { landing, signal, login, startedAt: performance.now(), waiting });
      return (await landing).directory;
    },
  };

  async function refreshOrNote(db: Db, request: DirectoryRequest): Promise<Landing> {
    try {
      return await refreshIfOld(db, request);
    } catch (error) {
      if (error instanceof BiotrackError) await request.noteTrouble(error);
      throw error;
    }
  }

  /** Asks the state, unless the directory is young enough, or becomes so by another process. */
  async function refreshIfOld(db: Db, request: DirectoryRequest): Promise<Landing> {
    const { target, force, signal } = request;
    let since: Date | undefined;
    return withDirectoryLease(db, target, signal, {
      async findDone() {
        const { present, now } = await findDirectorySummary(db, target.state, target.environment);
        const isAsked = since !== undefined && present?.refreshedAt != null && present.refreshedAt >= since;
        since ??= now;
        if (present === undefined) return undefined;
        if ((!force || isAsked) && isFresh(present, request.includeLabs)) return { directory: present, asked: isAsked };
        const { refusedAgeSeconds: refusedAge } = present;
        if (!force && refusedAge !== null && refusedAge < maxAgeSeconds) {
          const digest = present.refusedDigest ?? '';
          throw new ListShrunkError('a list was refused a moment ago, and waits for an operator', digest);
        }
        return undefined;
      },
      work: () => refresh(db, request),
    });
  }

  async function refresh(db: Db, request: DirectoryRequest): Promise<Landing> {
    const { target, login, includeLabs, signal } = request;
    const { present, now: askedAt } = await findDirectorySummary(db, target.state, target.environment);
    await request.confirmLogin();
    const session = await biotrack.openSession(target, login, { signal });
    if (present !== undefined && !includeLabs && (await isUnchanged(session, present))) {
      await withOperator(db, (tx) => saveUnchanged(tx, present.id));
      return { directory: { ...present, ageSeconds: 0 }, asked: true };
    }
    const list = await fetchList(session, includeLabs);
    const options = { withLabs: includeLabs, guardRemovalPercent, askedAt };
    const { directory, licenses, isOvertaken } = await publishOrRefuse(db, target, list, options);
    if (licenses !== undefined) keptLists.keep(directory, licenses);
    // A newer list of somebody else's stayed, and it is one without labs.
    if (isOvertaken && includeLabs && !isFresh(directory, true)) return refresh(db, request);
    return { directory, asked: true };
  }

  function isFresh({ ageSeconds, labsAgeSeconds }: Directory, includeLabs: boolean): boolean {
    const isYoung = (age: number | null): boolean => age !== null && age < maxAgeSeconds;
    return isYoung(ageSeconds) && (!includeLabs || isYoung(labsAgeSeconds));
  }
}

/**
 * Waits for somebody else's refresh, for as long as the caller wants to. Undefined if it failed for a reason of its
 * leader's own: his login was refused or taken away, or he went away. Only trouble at BioTrack or with its list, and with
 * the database, is shared.
 * @throws CrowdedError who makes way, where enough wait
 */
async function join(
  flight: Flight,
  { signal: own, login, noteTrouble, makesWay }: DirectoryRequest,
): Promise<Landing | undefined> {
  const { landing, signal: leader, login: leaders } = flight;
  try {
    const mine = own === undefined ? landing : untilAborted(landing, own);
    return await (makesWay === true ? inCrowd(flight, mine) : mine);
  } catch (error) {
    own?.throwIfAborted();
    if (error instanceof DirectoryBusyError) throw error;
    if (leader?.aborted === true) return undefined;
    const isShared = error instanceof BiotrackError || error instanceof ListShrunkError || isStorageUnavailable(error);
    if (!isShared) return undefined;
    const isPersonal = error instanceof BiotrackError && PERSONAL_REASONS.includes(error.reason);
    if (isPersonal && !isSameLogin(login, leaders)) return undefined;
    // The same login, saved by another tenant too, perhaps.
    if (isPersonal) await noteTrouble(error);
    throw error;
  }
}

/** Takes a place among those who wait, for as long as there is one. */
async function inCrowd<T>(flight: Flight, landing: Promise<T>): Promise<T> {
  flight.waiting += 1;
  let timer: NodeJS.Timeout | undefined;
  try {
    if (flight.waiting <= MOST_WAITING) return await landing;
    const patienceMs = Math.max(0, flight.startedAt + CROWD_PATIENCE_MS - performance.now());
    const leaving = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new DirectoryBusyError('many wait for this state already')), patienceMs);
    });
    return await Promise.race([landing, leaving]);
  } finally {
    clearTimeout(timer);
    flight.waiting -= 1;
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Believed for a day: equal sums mean that very likely nothing changed, and only the whole list shows what vanished. */
async function isUnchanged({ checkVendors }: BiotrackSession, present: Directory): Promise<boolean> {
  const { checksum, fullyReadAgeSeconds } = present;
  if (checkVendors === undefined || checksum === null) return false;
  if (fullyReadAgeSeconds === null || fullyReadAgeSeconds > FULL_READ_SECONDS) return false;
  return toChecksum((await checkVendors()).sum) === checksum;
}

const FULL_READ_SECONDS = 24 * 60 * 60;

/** Another mapping makes something else of the same rows: its list has to be read anew. */
const toChecksum = (sum: string | null | undefined): string | null =>
  sum === null || sum === undefined ? null : `${MAPPING_VERSION}:${sum}`;

interface StateList extends VendorList {
  /** Licenses that the state also lists as transporters; undefined: this login was not told of any, or of none. */
  readonly transporters: ReadonlySet<string> | undefined;
  /** Whether the state's laboratories are in it. */
  readonly hasLabs: boolean;
}

async function fetchList(session: BiotrackSession, includeLabs: boolean): Promise<StateList> {
  const { vendors, skips, fetched, transactionSum } = await session.fetchVendors();
  const transporters = await fetchTransporterKeys(session);
  const labs = includeLabs ? await fetchLabs(session) : undefined;
  return {
    hasLabs: labs !== undefined,
    transporters,
    vendors: [...vendors, ...(labs?.vendors ?? [])],
    skips: [...skips, ...(labs?.skips ?? [])],
    fetched: fetched + (labs?.fetched ?? 0),
    transactionSum,
  };
}

/** Undefined for a list that is left out: it is none, and takes no laboratory away. */
async function fetchLabs(session: BiotrackSession): Promise<VendorList | undefined> {
  try {
    return await session.fetchLabs();
  } catch (error) {
    if (error instanceof BiotrackError && error.reason === 'list_empty') return undefined;
    throw error;
  }
}

/**
 * Licenses that the state also lists as transporters. Who may not see that list does without: it only adds a word, and
 * what others were told of it stays.
 */
async function fetchTransporterKeys({ fetchTransporters }: BiotrackSession): Promise<StateList['transporters']> {
  if (fetchTransporters === undefined) return new Set();
  try {
    const { vendors } = await fetchTransporters();
    return new Set(vendors.map(({ licenseNumber }) => toLicenseKey(licenseNumber)));
  } catch (error) {
    if (error instanceof BiotrackError && NOT_OFFERED.includes(error.reason)) return undefined;
    throw error;
  }
}

/** BioTrack leaves the key of an empty list out, and answers the same where it has no such list. */
const NOT_OFFERED: readonly UpstreamReason[] = ['privilege_missing', 'upstream_rejected', 'list_empty'];

const withTransporters = (vendors: readonly Vendor[], transporters: ReadonlySet<string>): Promise<Vendor[]> =>
  mapAsync(vendors, (vendor) => withTransporter(vendor, transporters));

function withTransporter(vendor: Vendor, transporters: ReadonlySet<string>): Vendor {
  if (vendor.isLab || !transporters.has(toLicenseKey(vendor.licenseNumber))) return vendor;
  const activities = new Set<Activity>([...vendor.activities, 'transporter']);
  return { ...vendor, activities: [...activities].sort() };
}

interface PublishOptions {
  readonly withLabs: boolean;
  readonly guardRemovalPercent: number;
  /** When the list was asked for, by Postgres' clock. */
  readonly askedAt: Date;
}

/** What came of publishing a list. */
interface PublishResult {
  readonly directory: Directory;
  /** All that is listed now; undefined where not all of it is known here. */
  readonly licenses?: readonly ListedLicense[] | undefined;
  /** A newer list of somebody else's stayed. */
  readonly isOvertaken: boolean;
}

async function publishOrRefuse(
  db: Db,
  target: BiotrackTarget,
  list: StateList,
  options: PublishOptions,
): Promise<PublishResult> {
  try {
    return await publish(db, target, list, options);
  } catch (error) {
    if (error instanceof ListShrunkError)
      await withOperator(db, (tx) => saveListRefusal(tx, { ...target, digest: error.digest }));
    throw error;
  }
}

/** Lays a believed list over the published one. An unchanged list writes no license row, and the version stays. */
async function publish(
  db: Db,
  target: BiotrackTarget,
  told: StateList,
  { withLabs, guardRemovalPercent, askedAt }: PublishOptions,
): Promise<PublishResult> {
  const transporters =
    told.transporters ?? (await withOperator(db, (tx) => selectTransporters(tx, target.state, target.environment)));
  const list =
    transporters.size === 0 ? told : { ...told, vendors: await withTransporters(told.vendors, transporters) };
  const fingerprint = await toFingerprint(list);
  const facts = { checksum: toChecksum(list.transactionSum), askedAt, withLabs, fingerprint };
  const same = await withOperator(db, async (tx) => {
    const directory = await lockDirectory(tx, target.state, target.environment);
    if (isNewer(directory, askedAt)) return { directory, isOvertaken: true };
    if (!isSame(directory, fingerprint)) return undefined;
    await saveSame(tx, directory.id, facts);
    return { directory: await refind(tx, target), isOvertaken: false };
  });
  if (same !== undefined) return same;
  // Outside of any transaction: digesting a large list takes time.
  const { licenses, duplicates } = await runYielding(collateYielding(list.vendors, toDigest));
  return withOperator(db, async (tx) => {
    const directory = await lockDirectory(tx, target.state, target.environment);
    if (isNewer(directory, askedAt)) return { directory, isOvertaken: true };
    const published = await selectPublished(tx, directory.id);
    const comparison = await runYielding(compareWithPublished(licenses, published, list.hasLabs));
    const { added, changed, missing, kept, active, removed } = comparison;
    const digest = toDigest(licenses.map(({ contentHash }) => contentHash).join());
    if (digest !== directory.acceptedDigest && isTooMuch(removed, active, guardRemovalPercent))
      throw new ListShrunkError(`${removed} of ${active} licenses would be gone`, digest);
    const isChanged = added.length + changed.length + missing.length > 0;
    const version = directory.version + (isChanged || directory.version === 0 ? 1 : 0);
    await savePublication(tx, directory.id, version, comparison);
    await saveRefresh(tx, directory.id, {
      version,
      fetchedRows: list.fetched + kept,
      duplicateRows: duplicates,
      skips: list.skips,
      ...facts,
    });
    return {
      directory: await refind(tx, target),
      isOvertaken: false,
      // With laboratories of an earlier list beside them these are not all.
      licenses: kept === 0 ? licenses : undefined,
    };
  });
}

/** As it is now; it was locked a moment ago. */
const refind = async (tx: OperatorTx, { state, environment }: BiotrackTarget): Promise<Directory> =>
  (await findDirectory(tx, state, environment)) as Directory;

/** Somebody asked later than we did, and was answered sooner: theirs is the newer list. */
const isNewer = ({ fullyReadAt }: Directory, askedAt: Date): boolean => fullyReadAt !== null && fullyReadAt > askedAt;

/** Believed for a day, as the state's own check is: the content is the truth. */
const isSame = (directory: Directory, fingerprint: string | null): boolean =>
  fingerprint !== null &&
  directory.fingerprint === fingerprint &&
  directory.comparedAgeSeconds !== null &&
  directory.comparedAgeSeconds < FULL_READ_SECONDS;

/** 128 bits of SHA-256: collisions do not happen by chance, and nobody gains by making one of his own license. */
const toDigest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 22);
