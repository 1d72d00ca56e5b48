import { CommandError } from './command-error.js';
import { getProfile, type Profile, type SimulatorDialect, type StateProfile } from './profiles.js';

export interface SimulatorOptions {
  /** Defaults to `nm`. `fl` uses the dialect `rest`, the others `api4`. */
  readonly state?: StateProfile;
  /** The number of license numbers. The default depends on the state (`nm` 2,100). Dirty duplicates are added. */
  readonly licenses?: number;
  /** The same for the training data. Defaults to a tenth, at least 20. */
  readonly trainingLicenses?: number;
  readonly seed?: number;
  /** A loopback address, because the passwords are public. Defaults to 127.0.0.1. */
  readonly host?: string;
  readonly port?: number;
  readonly controlPort?: number;
  /** Defaults to true. Use false in tests that count rows. */
  readonly dirtyRows?: boolean;
  /** The default of `shuffleKeys`. Without shuffling, the list is built once and reused. */
  readonly shuffle?: boolean;
  readonly shuffleKeys?: boolean;
  readonly shuffleRows?: boolean;
  readonly sessionTtlSeconds?: number;
  readonly oneSessionPerUser?: boolean;
  readonly offersSyncCheck?: boolean;
  readonly offersTransporters?: boolean;
}

/** Options that can be changed at runtime. Each is unknown in BioTrack or differs between states. */
export interface RuntimeOptions {
  /** The `Content-Type` of responses. BioTrack's is not reliable. */
  contentType: string;
  /** Varies the key order, and whether `success` is 1 or "1", in each response. */
  shuffleKeys: boolean;
  shuffleRows: boolean;
  /** Another seed writes the same values in other shapes, for example 1 as "1" or null as an absent key. */
  shapeSeed: number;
  sessionTtlSeconds: number;
  oneSessionPerUser: boolean;
  /** Whether deleted licenses stay in the list with `deleted:1`, or are omitted. */
  deletedRows: 'flagged' | 'vanish';
  /** Whether `sync_check` sums the rows of the list, or all rows of the table: also those omitted from the list. */
  syncCheckRows: 'list' | 'table';
  /** The field with the license number of a transporter. */
  transporterKey: 'location' | 'license_number';
  /** Whether calls without `API` are accepted (`api4`). Other versions than 4.0 are always refused. */
  apiMember: 'required' | 'optional';
  /** The HTTP status of responses to `GET` (`api4`). */
  getStatus: number;
  offersSyncCheck: boolean;
  offersTransporters: boolean;
  /** The query parameter for `NextCursor` (`rest`). */
  restCursorParameter: string;
  restPageSize: number;
  /** The value of `NextCursor` on the last page (`rest`). */
  restLastCursor: 'null' | 'empty' | 'absent';
  /** The HTTP status of refusals (`rest`). */
  restErrorStatus: number;
}

export interface SimulatorSetup {
  readonly profile: Profile;
  readonly dialect: SimulatorDialect;
  readonly licenses: number;
  readonly trainingLicenses: number;
  readonly seed: number;
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  readonly dirtyRows: boolean;
  readonly runtimeOptions: Readonly<RuntimeOptions>;
}

const MAX_LICENSES = 500_000;

export const toSetup = (options: SimulatorOptions): SimulatorSetup => {
  const profile = getProfile(options.state ?? 'nm');
  const licenses = checkWholeNumber('licenses', options.licenses ?? profile.licenses, MAX_LICENSES);
  const host = options.host ?? '127.0.0.1';
  if (!isLoopback(host)) throw new CommandError(`host ${host} is not a loopback address`, 400);
  const shuffle = options.shuffle ?? true;
  return {
    profile,
    dialect: profile.dialect,
    licenses,
    trainingLicenses: checkWholeNumber(
      'trainingLicenses',
      options.trainingLicenses ?? Math.max(20, Math.floor(licenses / 10)),
      MAX_LICENSES,
    ),
    seed: options.seed ?? 1,
    host,
    port: checkWholeNumber('port', options.port ?? 0, 65_535),
    controlPort: checkWholeNumber('controlPort', options.controlPort ?? 0, 65_535),
    dirtyRows: options.dirtyRows ?? true,
    runtimeOptions: {
      contentType: profile.dialect === 'rest' ? 'application/json' : 'text/JSON',
      shuffleKeys: options.shuffleKeys ?? shuffle,
      shuffleRows: options.shuffleRows ?? false,
      shapeSeed: options.seed ?? 1,
      sessionTtlSeconds: options.sessionTtlSeconds ?? 3_600,
      oneSessionPerUser: options.oneSessionPerUser ?? false,
      deletedRows: 'flagged',
      syncCheckRows: 'list',
      transporterKey: 'license_number',
      apiMember: 'required',
      getStatus: 405,
      offersSyncCheck: options.offersSyncCheck ?? profile.offersSyncCheck,
      offersTransporters: options.offersTransporters ?? profile.offersTransporters,
      restCursorParameter: 'Cursor',
      restPageSize: 500,
      restLastCursor: 'null',
      restErrorStatus: 400,
    },
  };
};

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

const checkWholeNumber = (name: string, value: number, max: number): number => {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new CommandError(`${name} must be a whole number from 0 to ${max}`, 400);
  }
  return value;
};
