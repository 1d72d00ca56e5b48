import type { Random } from './random.js';

export const STATE_PROFILES = ['nm', 'wa', 'ct', 'fl'] as const;
export type StateProfile = (typeof STATE_PROFILES)[number];
export type SimulatorDialect = 'api4' | 'rest';

/** The known differences between states. Unknown ones are options of the simulator. */
export interface Profile {
  readonly state: StateProfile;
  readonly dialect: SimulatorDialect;
  /** The state in the addresses. */
  readonly abbreviation: string;
  readonly licenses: number;
  /** Vendors per license. Chains are common in Florida and rare in New Mexico. */
  readonly vendorShare: number;
  readonly labs: number;
  readonly offersSyncCheck: boolean;
  readonly offersTransporters: boolean;
  /** Rows of Washington have no `deleted`. */
  readonly hasDeletedField: boolean;
  /** How false is written: as null (Washington), as 0 (Connecticut), or in various ways. */
  readonly flagStyle: 'mixed' | 'null' | 'integer';
  readonly locationTypes: readonly number[];
  readonly cities: readonly (readonly [city: string, zip: string])[];
  license(random: Random): string;
}

const nineDigits = (random: Random): string => (random.chance(0.01) ? `00${random.digits(7)}` : `2${random.digits(8)}`);

const nm: Profile = {
  state: 'nm',
  dialect: 'api4',
  abbreviation: 'NM',
  licenses: 2_100,
  vendorShare: 1_250 / 2_100,
  labs: 8,
  offersSyncCheck: true,
  offersTransporters: false,
  hasDeletedField: true,
  flagStyle: 'mixed',
  locationTypes: [1, 2, 3, 4, 7, 8, 8, 8, 10, 42],
  cities: [
    ['ALBUQUERQUE', '87101'],
    ['ALBUQUERQUE', '87110'],
    ['SANTA FE', '87501'],
    ['LAS CRUCES', '88001'],
    ['RIO RANCHO', '87124'],
    ['ROSWELL', '88201'],
    ['FARMINGTON', '87401'],
    ['TAOS', '87571'],
    ['SUNLAND PARK', '88063'],
    ['HOBBS', '88240'],
    ['CLOVIS', '88101'],
    ['ESPAÑOLA', '87532'],
    ['TRUTH OR CONSEQUENCES', '87901'],
  ],
  license: nineDigits,
};

const wa: Profile = {
  state: 'wa',
  dialect: 'api4',
  abbreviation: 'WA',
  licenses: 1_200,
  vendorShare: 0.7,
  labs: 14,
  offersSyncCheck: true,
  offersTransporters: true,
  hasDeletedField: false,
  flagStyle: 'null',
  locationTypes: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  cities: [
    ['SEATTLE', '98101'],
    ['TACOMA', '98402'],
    ['SPOKANE', '99201'],
    ['YAKIMA', '98901'],
    ['BELLINGHAM', '98225'],
    ['WALLA WALLA', '99362'],
    ["COEUR D'ALENE CROSSING", '99025'],
  ],
  license: (random) => (random.chance(0.01) ? `0${random.digits(5)}` : `4${random.digits(5)}`),
};

const ct: Profile = {
  state: 'ct',
  dialect: 'api4',
  abbreviation: 'CT',
  licenses: 300,
  vendorShare: 0.6,
  labs: 4,
  offersSyncCheck: true,
  offersTransporters: false,
  hasDeletedField: true,
  flagStyle: 'integer',
  locationTypes: [1, 2, 7, 8, 10],
  cities: [
    ['HARTFORD', '06103'],
    ['NEW HAVEN', '06510'],
    ['STAMFORD', '06901'],
    ['BRIDGEPORT', '06604'],
    ['WATERBURY', '06702'],
  ],
  license: (random) => `${random.pick(['ACFB', 'ACRE', 'ACRB', 'ACCB', 'ACHM'])}${random.digits(7)}`,
};

const fl: Profile = {
  state: 'fl',
  dialect: 'rest',
  abbreviation: 'FL',
  licenses: 700,
  vendorShare: 0.1,
  labs: 10,
  offersSyncCheck: false,
  offersTransporters: false,
  hasDeletedField: true,
  flagStyle: 'mixed',
  locationTypes: [1, 2, 3],
  cities: [
    ['MIAMI', '33101'],
    ['ORLANDO', '32801'],
    ['TAMPA', '33602'],
    ['JACKSONVILLE', '32202'],
    ['ST. PETERSBURG', '33701'],
  ],
  license: (random) => `MMTC-${random.digits(6)}`,
};

const PROFILES: Readonly<Record<StateProfile, Profile>> = { nm, wa, ct, fl };

export const getProfile = (state: StateProfile): Profile => PROFILES[state];
