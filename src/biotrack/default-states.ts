import type { Environment } from '../domain/environment.js';
import {
  type BiotrackEnvironment,
  type BiotrackState,
  DEFAULT_CURSOR_PARAMETER,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_OFFERS,
} from './states.js';

type Environments = Readonly<Partial<Record<Environment, BiotrackEnvironment>>>;

/** Hosts and dialects as observed in public adapters and in help pages of the states. */
export const DEFAULT_STATES: readonly BiotrackState[] = [
  active('AR', 'Arkansas', api4('https://arstems.arkansas.gov')),
  active('CT', 'Connecticut', api4('https://trace.ct.biotr.ac')),
  active('DE', 'Delaware', api4('https://delaware.biotrackthc.net')),
  active('FL', 'Florida', rest('https://api.licensee.fl.biotr.ac')),
  active('HI', 'Hawaii', api4('https://hicsts.hawaii.gov')),
  left('IL', 'Illinois', '2025'),
  active('ND', 'North Dakota', api4('https://mminventory.health.nd.gov')),
  active('NM', 'New Mexico', api4('https://mcp-tracking.nmhealth.org')),
  left('NY', 'New York', '2025'),
  active('PR', 'Puerto Rico', api4('https://cannabispr.biotrackthc.net')),
  // The only state with known license type codes (observed in public adapters).
  left('WA', 'Washington', '2017', {
    '1': 'Producer, tier 1',
    '2': 'Producer, tier 2',
    '3': 'Producer, tier 3',
    '4': 'Producer and processor, tier 1',
    '5': 'Producer and processor, tier 2',
    '6': 'Producer and processor, tier 3',
    '7': 'Processor',
    '8': 'Retailer',
    '9': 'Tribe',
    '10': 'Retailer with medical endorsement',
    '11': 'Cooperative',
    '12': 'Medical dispensary',
  }),
];

function active(code: string, name: string, environments: Environments): BiotrackState {
  return { code, name, status: 'active', leftOn: null, licenseTypes: {}, environments };
}

/** Without an address, so that no password is ever sent to a state that left BioTrack. */
function left(
  code: string,
  name: string,
  leftOn: string,
  licenseTypes: Readonly<Record<string, string>> = {},
): BiotrackState {
  return { code, name, status: 'left', leftOn, licenseTypes, environments: {} };
}

/** Training data is on the same host (observed in public adapters). */
function api4(url: string): Environments {
  const environment: BiotrackEnvironment = {
    dialect: 'api4',
    url: new URL(url).href,
    originId: new URL(url).origin,
    maxBodyBytes: DEFAULT_MAX_BODY_BYTES,
    charset: 'utf-8',
    offers: DEFAULT_OFFERS.api4,
    cursorParameter: DEFAULT_CURSOR_PARAMETER,
  };
  return { production: environment, training: environment };
}

/** Whether the `rest` dialect has training data is unknown. */
function rest(url: string): Environments {
  return {
    production: {
      dialect: 'rest',
      url: new URL(url).href,
      originId: new URL(url).origin,
      maxBodyBytes: DEFAULT_MAX_BODY_BYTES,
      charset: 'utf-8',
      offers: DEFAULT_OFFERS.rest,
      cursorParameter: DEFAULT_CURSOR_PARAMETER,
    },
  };
}
