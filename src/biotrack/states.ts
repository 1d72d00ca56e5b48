import type { Environment } from '../domain/environment.js';
import type { Charset } from './document.js';

/** Names of license types by BioTrack's code. */
export type LicenseTypes = Readonly<Record<string, string>>;

export const DIALECTS = ['api4', 'rest'] as const;
export type Dialect = (typeof DIALECTS)[number];

/** What a state's BioTrack offers besides the list of vendors. */
export interface Offers {
  readonly labs: boolean;
  readonly transporters: boolean;
  /** The `sync_check` call. */
  readonly syncCheck: boolean;
}

export interface BiotrackEnvironment {
  readonly dialect: Dialect;
  /** The base URL. If an `api4` URL has no path, requests go to `/serverjson.asp`. */
  readonly url: string;
  /** Stored passwords are bound to this id and become unreadable if it changes. Defaults to the origin of the URL. */
  readonly originId: string;
  readonly maxBodyBytes: number;
  readonly charset: Charset;
  readonly offers: Offers;
  /** `rest`: the query parameter for `NextCursor`. BioTrack's real name for it is unknown. */
  readonly cursorParameter: string;
}

/** A state that uses or used BioTrack, as configured in this deployment. */
export interface BiotrackState {
  readonly code: string;
  readonly name: string;
  readonly status: 'active' | 'left';
  /** Year or date. */
  readonly leftOn: string | null;
  /** Codes that are not listed are kept as they are. */
  readonly licenseTypes: LicenseTypes;
  readonly environments: Readonly<Partial<Record<Environment, BiotrackEnvironment>>>;
}

/** A list of 100,000 licenses has 31–48 MiB. */
export const DEFAULT_MAX_BODY_BYTES = 128 * 1024 * 1024;
export const DEFAULT_CURSOR_PARAMETER = 'Cursor';

/**
 * The list of transporters is "WA only" according to a public adapter, so states that have it name it in the states file.
 * `sync_check` is inferred, so it stays enabled until a state is known not to have it. `rest` has neither.
 */
export const DEFAULT_OFFERS: Readonly<Record<Dialect, Offers>> = {
  api4: { labs: true, transporters: false, syncCheck: true },
  rest: { labs: true, transporters: false, syncCheck: false },
};
