import type { Environment } from '../domain/environment.js';
import type { Charset } from './document.js';

/** Codes with their meaning. */
export type LicenseTypes = Readonly<Record<string, string>>;

export const DIALECTS = ['api4', 'rest'] as const;
export type Dialect = (typeof DIALECTS)[number];

/** What a state's BioTrack has beside the list of vendors. */
export interface Offers {
  readonly labs: boolean;
  readonly transporters: boolean;
  /** The cheap "has anything changed?". */
  readonly syncCheck: boolean;
}

export interface BiotrackEnvironment {
  readonly dialect: Dialect;
  /** Where to ask. The path that the dialect prescribes is added unless the address has one of its own (`api4`). */
  readonly url: string;
  /**
   * What stored passwords are bound to: whoever changes it makes them unreadable. It is the origin of the address
   * unless the states file says otherwise.
   */
  readonly originId: string;
  readonly maxBodyBytes: number;
  readonly charset: Charset;
  readonly offers: Offers;
  /** The query parameter that carries `NextCursor` back (`rest`); its real name is not known. */
  readonly cursorParameter: string;
}

/** A state that uses or used BioTrack, as this deployment knows it. */
export interface BiotrackState {
  readonly code: string;
  readonly name: string;
  readonly status: 'active' | 'left';
  /** When it left: a year or a date, as far as known. */
  readonly leftOn: string | null;
  /** The state's codes of license types with their meaning; a code that is not in it is kept as it came. */
  readonly licenseTypes: LicenseTypes;
  readonly environments: Readonly<Partial<Record<Environment, BiotrackEnvironment>>>;
}

/** 100,000 licenses are 31–48 MiB. */
export const DEFAULT_MAX_BODY_BYTES = 128 * 1024 * 1024;
export const DEFAULT_CURSOR_PARAMETER = 'Cursor';

/** `sync_check` is inferred, and offered until a state is known not to have it; the rest dialect has one list only. */
export const DEFAULT_OFFERS: Readonly<Record<Dialect, Offers>> = {
  api4: { labs: true, transporters: true, syncCheck: true },
  rest: { labs: false, transporters: false, syncCheck: false },
};
