import { CommandRefused } from './command-refused.js';
import { type Profile, profileOf, type SimulatorDialect, type StateProfile } from './profiles.js';

export interface SimulatorOptions {
  /** Which state it plays (default nm). The dialect follows: fl speaks `rest`, the others `api4`. */
  readonly state?: StateProfile;
  /** How many license numbers the list has (default by state; nm 2,100). Dirty duplicates come on top. */
  readonly licenses?: number;
  /** The same for the training data (default a tenth, at least 20). */
  readonly trainingLicenses?: number;
  readonly seed?: number;
  /** Loopback only: this program has fixed passwords and a control port. */
  readonly host?: string;
  readonly port?: number;
  readonly controlPort?: number;
  /** Off for tests that want to count rows exactly. */
  readonly dirtyRows?: boolean;
  /** Shorthand: false switches both shuffles off, and the list is then built once and kept. */
  readonly shuffle?: boolean;
  readonly shuffleKeys?: boolean;
  readonly shuffleRows?: boolean;
  readonly sessionTtlSeconds?: number;
  readonly oneSessionPerUser?: boolean;
  readonly offersSyncCheck?: boolean;
  readonly offersTransporters?: boolean;
}

/** What can be switched while it runs. Each is something that is unknown of BioTrack, or differs by state. */
export interface Settings {
  /** The answers' content type: it is not to be trusted. */
  contentType: string;
  /** Draw the key order anew for every answer, and whether `success` is 1 or "1". */
  shuffleKeys: boolean;
  shuffleRows: boolean;
  /** Another seed writes the same rows in other shapes: 1 becomes "1", null becomes absent. */
  shapeSeed: number;
  sessionTtlSeconds: number;
  oneSessionPerUser: boolean;
  /** Whether a deleted license stays in the list with `deleted:1` or vanishes from it. */
  deletedRows: 'flagged' | 'vanish';
  offersSyncCheck: boolean;
  offersTransporters: boolean;
  /** The name of the query parameter that carries `NextCursor` back (`rest`). */
  restCursorParameter: string;
  restPageSize: number;
  /** What `NextCursor` is on the last page (`rest`). */
  restLastCursor: 'null' | 'empty' | 'absent';
  /** The status of refusals in the `rest` dialect. */
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
  readonly settings: Readonly<Settings>;
}

const MOST_LICENSES = 500_000;

export const toSetup = (options: SimulatorOptions): SimulatorSetup => {
  const profile = profileOf(options.state ?? 'nm');
  const licenses = wholeNumber('licenses', options.licenses ?? profile.licenses, MOST_LICENSES);
  const host = options.host ?? '127.0.0.1';
  if (!isLoopback(host)) throw new CommandRefused(`host ${host} is not a loopback address`, 400);
  const shuffle = options.shuffle ?? true;
  return {
    profile,
    dialect: profile.dialect,
    licenses,
    trainingLicenses: wholeNumber(
      'trainingLicenses',
      options.trainingLicenses ?? Math.max(20, Math.floor(licenses / 10)),
      MOST_LICENSES,
    ),
    seed: options.seed ?? 1,
    host,
    port: wholeNumber('port', options.port ?? 0, 65_535),
    controlPort: wholeNumber('controlPort', options.controlPort ?? 0, 65_535),
    dirtyRows: options.dirtyRows ?? true,
    settings: {
      contentType: profile.dialect === 'rest' ? 'application/json' : 'text/JSON',
      shuffleKeys: options.shuffleKeys ?? shuffle,
      shuffleRows: options.shuffleRows ?? false,
      shapeSeed: options.seed ?? 1,
      sessionTtlSeconds: options.sessionTtlSeconds ?? 3_600,
      oneSessionPerUser: options.oneSessionPerUser ?? false,
      deletedRows: 'flagged',
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

const wholeNumber = (name: string, value: number, most: number): number => {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new CommandRefused(`${name} is a whole number from 0 to ${most}`, 400);
  }
  return value;
};
