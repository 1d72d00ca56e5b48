import { CHAIN_NAME, CHAIN_SITES, DEMO_NAME, DEMO_SITES, DEMO_USER, SECOND_USER } from './demo.js';
import { addDirtyRows } from './dirty-rows.js';
import type { Profile } from './profiles.js';
import { Random } from './random.js';
import type { LabRow, SimulatedLicense, TransporterRow } from './row.js';
import { generateAddress, generateName, generateSiteName } from './sample-data.js';

export interface GenerateOptions {
  readonly profile: Profile;
  readonly licenses: number;
  readonly seed: number;
  readonly dirtyRows: boolean;
  /** Generates the training data, which differs from the production data. */
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

/** A smaller state has no chain, so that there are other vendors too. */
const MIN_LICENSES_FOR_CHAIN = 40;
const MAX_OTHER_SITES = 12;

export const generateData = (options: GenerateOptions): GeneratedData => {
  const { profile, seed, training } = options;
  const dataSet = training ? 'training' : 'production';
  const random = Random.of(seed, profile.state, dataSet, 'rows');
  const vendors = planVendors(random, options);
  const owners = vendors.flatMap((vendor) =>
    Array.from({ length: vendor.sites }, (_, number) => ({ vendor, number: number + 1 })),
  );
  // Vendors receive their licenses over the years, so their rows are not adjacent.
  random.shuffle(owners);

  const sequence = new TransactionSequence(random, training ? 1_000_000 : 31_000_000);
  const licenses = new Set<string>();
  const clean = owners.map(({ vendor, number }, index): SimulatedLicense => {
    const address = generateAddress(random, profile);
    const original = sequence.next();
    const isDemoVendor = vendor.ubi === DEMO_USER.ubi || vendor.ubi === SECOND_USER.ubi;
    const type = random.pick(profile.locationTypes);
    return {
      id: index + 1,
      location: generateLicense(random, profile, licenses),
      ubi: vendor.ubi,
      name: vendor.sites === 1 ? vendor.name : generateSiteName(random, vendor.name, address.city, number),
      locationType: type,
      ...address,
      producer: type <= 6,
      processor: type >= 4 && type <= 7,
      retail: type === 8 || type === 10,
      medical: random.chance(0.3),
      // All sites of the demo vendors stay active, so that their documented numbers are correct.
      flagsDropped: !isDemoVendor && random.chance(profile.hasDeletedField ? 0.005 : 0.03),
      deleted: !isDemoVendor && profile.hasDeletedField && random.chance(0.02),
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
  const labs = Array.from({ length: profile.labs }, () => generateLab(random, profile, licenses, sequence));
  const transporters = Array.from({ length: profile.labs }, (_, index) => {
    const transporter = generateLab(random, profile, licenses, sequence);
    // Every other transporter is also a vendor site.
    const site = index % 2 === 0 ? clean[index] : undefined;
    return { ...transporter, ...(site === undefined ? {} : { location: site.location }), deleted: false };
  });
  return { rows, labs, transporters, lastTransactionId: sequence.last };
};

const planVendors = (random: Random, { profile, licenses }: GenerateOptions): readonly PlannedVendor[] => {
  const demo = { ubi: DEMO_USER.ubi, name: DEMO_NAME, sites: Math.min(DEMO_SITES, licenses) };
  const hasChain = licenses >= MIN_LICENSES_FOR_CHAIN;
  const chain = { ubi: SECOND_USER.ubi, name: CHAIN_NAME, sites: hasChain ? CHAIN_SITES : 1 };
  const vendors: PlannedVendor[] = [demo];
  let remaining = licenses - demo.sites;
  if (remaining >= chain.sites) {
    vendors.push(chain);
    remaining -= chain.sites;
  }
  const others: PlannedVendor[] = [];
  const ubis = new Set<string>(vendors.map(({ ubi }) => ubi));
  const count = Math.min(remaining, Math.max(1, Math.round(licenses * profile.vendorShare) - vendors.length));
  while (others.length < count) {
    const ubi = generateUbi(random, ubis);
    others.push({ ubi, name: generateName(random), sites: 1 });
  }
  remaining -= others.length;
  // The square gives a few vendors many sites and most vendors one.
  const maxSites = Math.max(MAX_OTHER_SITES, Math.ceil((3 * remaining) / Math.max(1, others.length)));
  while (remaining > 0) {
    const vendor = others[Math.floor(random.next() ** 2 * others.length)];
    if (vendor === undefined) break;
    if (vendor.sites >= maxSites) continue;
    vendor.sites += 1;
    remaining -= 1;
  }
  return [...vendors, ...others];
};

const generateUbi = (random: Random, used: Set<string>): string => {
  for (;;) {
    const ubi = random.chance(0.03) ? `0${random.digits(8)}` : `${random.between(4, 6)}${random.digits(8)}`;
    if (!used.has(ubi)) {
      used.add(ubi);
      return ubi;
    }
  }
};

const generateLicense = (random: Random, profile: Profile, used: Set<string>): string => {
  for (;;) {
    const license = profile.license(random);
    if (!used.has(license)) {
      used.add(license);
      return license;
    }
  }
};

const generateLab = (
  random: Random,
  profile: Profile,
  licenses: Set<string>,
  sequence: TransactionSequence,
): LabRow => {
  const { address1, city, state, zip } = generateAddress(random, profile);
  const original = sequence.next();
  return {
    location: generateLicense(random, profile, licenses),
    ubi: random.chance(0.5) ? `5${random.digits(8)}` : null,
    name: `${generateName(random)} LABORATORY`,
    address1,
    city,
    state,
    zip,
    transactionId: original,
    transactionIdOriginal: original,
    raw: undefined,
  };
};

/** A state-wide sequence with gaps. Numbers repeat now and then, because one edit can change several rows. */
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
