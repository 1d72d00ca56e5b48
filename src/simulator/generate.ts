import { CHAIN_NAME, CHAIN_SITES, DEMO_NAME, DEMO_SITES, DEMO_USER, SECOND_USER } from './demo.js';
import { addDirtyRows } from './dirty-rows.js';
import { inventAddress, inventName, inventSiteName } from './inventions.js';
import type { Profile } from './profiles.js';
import { Random } from './random.js';
import type { LabRow, SimulatedLicense, TransporterRow } from './row.js';

export interface GenerateOptions {
  readonly profile: Profile;
  readonly licenses: number;
  readonly seed: number;
  readonly dirtyRows: boolean;
  /** The training data is a second data set on the same host. */
  readonly training: boolean;
}

export interface GeneratedData {
  readonly rows: readonly SimulatedLicense[];
  readonly labs: readonly LabRow[];
  readonly transporters: readonly TransporterRow[];
  readonly lastTransactionId: number;
}

interface PlannedVendor {
  readonly ubi: string;
  readonly name: string;
  sites: number;
}

/** The chain appears as soon as the state is large enough to have room for others besides it. */
const CHAIN_FROM_LICENSES = 40;
const MOST_SITES_OF_OTHERS = 12;

export const generateData = (options: GenerateOptions): GeneratedData => {
  const { profile, seed, training } = options;
  const dataSet = training ? 'training' : 'production';
  const random = Random.of(seed, profile.state, dataSet, 'rows');
  const vendors = planVendors(random, options);
  const owners = vendors.flatMap((vendor) =>
    Array.from({ length: vendor.sites }, (_, number) => ({ vendor, number: number + 1 })),
  );
  // Licenses are issued over the years, not vendor by vendor.
  random.shuffle(owners);

  const sequence = new TransactionSequence(random, training ? 1_000_000 : 31_000_000);
  const licenses = new Set<string>();
  const clean = owners.map(({ vendor, number }, index): SimulatedLicense => {
    const address = inventAddress(random, profile);
    const original = sequence.next();
    const isKnown = vendor.ubi === DEMO_USER.ubi || vendor.ubi === SECOND_USER.ubi;
    const type = random.pick(profile.locationTypes);
    return {
      id: index + 1,
      location: uniqueLicense(random, profile, licenses),
      ubi: vendor.ubi,
      name: vendor.sites === 1 ? vendor.name : inventSiteName(random, vendor.name, address.city, number),
      locationType: type,
      ...address,
      producer: type <= 6,
      processor: type >= 4 && type <= 7,
      retail: type === 8 || type === 10,
      medical: random.chance(0.3),
      // The demo vendors stay alive: whoever tries the demo counts their sites.
      flagsDropped: !isKnown && random.chance(profile.hasDeletedField ? 0.005 : 0.03),
      deleted: !isKnown && profile.hasDeletedField && random.chance(0.02),
      vanished: false,
      transactionId: original,
      transactionIdOriginal: original,
      raw: undefined,
    };
  });
  const edited = clean.map((row) => (random.chance(0.6) ? { ...row, transactionId: sequence.next() } : row));
  const rows = options.dirtyRows
    ? addDirtyRows(edited, Random.of(seed, profile.state, dataSet, 'dirt'), new Set([DEMO_USER.ubi, SECOND_USER.ubi]))
    : edited;
  const labs = Array.from({ length: profile.labs }, () => inventLab(random, profile, licenses, sequence));
  const transporters = Array.from({ length: profile.labs }, (_, index) => {
    const own = inventLab(random, profile, licenses, sequence);
    // Every other one is a licensed site that also transports.
    const site = index % 2 === 0 ? clean[index] : undefined;
    return { ...own, ...(site === undefined ? {} : { location: site.location }), deleted: false };
  });
  return { rows, labs, transporters, lastTransactionId: sequence.last };
};

const planVendors = (random: Random, { profile, licenses }: GenerateOptions): readonly PlannedVendor[] => {
  const demo = { ubi: DEMO_USER.ubi, name: DEMO_NAME, sites: Math.min(DEMO_SITES, licenses) };
  const hasChain = licenses >= CHAIN_FROM_LICENSES;
  const chain = { ubi: SECOND_USER.ubi, name: CHAIN_NAME, sites: hasChain ? CHAIN_SITES : 1 };
  const vendors: PlannedVendor[] = [demo];
  let left = licenses - demo.sites;
  if (left >= chain.sites) {
    vendors.push(chain);
    left -= chain.sites;
  }
  const others: PlannedVendor[] = [];
  const ubis = new Set<string>(vendors.map(({ ubi }) => ubi));
  const wanted = Math.min(left, Math.max(1, Math.round(licenses * profile.vendorShare) - vendors.length));
  while (others.length < wanted) {
    const ubi = uniqueUbi(random, ubis);
    others.push({ ubi, name: inventName(random), sites: 1 });
  }
  left -= others.length;
  // Squaring the draw gives a few vendors many sites and most vendors one.
  const mostSites = Math.max(MOST_SITES_OF_OTHERS, Math.ceil((3 * left) / Math.max(1, others.length)));
  while (left > 0) {
    const vendor = others[Math.floor(random.next() ** 2 * others.length)];
    if (vendor === undefined) break;
    if (vendor.sites >= mostSites) continue;
    vendor.sites += 1;
    left -= 1;
  }
  return [...vendors, ...others];
};

const uniqueUbi = (random: Random, taken: Set<string>): string => {
  for (;;) {
    const ubi = random.chance(0.03) ? `0${random.digits(8)}` : `${random.between(4, 6)}${random.digits(8)}`;
    if (!taken.has(ubi)) {
      taken.add(ubi);
      return ubi;
    }
  }
};

const uniqueLicense = (random: Random, profile: Profile, taken: Set<string>): string => {
  for (;;) {
    const license = profile.license(random);
    if (!taken.has(license)) {
      taken.add(license);
      return license;
    }
  }
};

const inventLab = (random: Random, profile: Profile, licenses: Set<string>, sequence: TransactionSequence): LabRow => {
  const { address1, city, state, zip } = inventAddress(random, profile);
  const original = sequence.next();
  return {
    location: uniqueLicense(random, profile, licenses),
    ubi: random.chance(0.5) ? `5${random.digits(8)}` : null,
    name: `${inventName(random)} LABORATORY`,
    address1,
    city,
    state,
    zip,
    transactionId: original,
    transactionIdOriginal: original,
  };
};

/** A state-wide sequence with gaps, whose numbers are not unique per row: one edit can touch several rows. */
class TransactionSequence {
  readonly #random: Random;
  last: number;

  constructor(random: Random, start: number) {
    this.#random = random;
    this.last = start;
  }

  next(): number {
    if (!this.#random.chance(0.02)) this.last += this.#random.between(1, 9);
    return this.last;
  }
}
