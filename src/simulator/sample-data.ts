import type { Profile } from './profiles.js';
import type { Random } from './random.js';

/** Fictitious trade names and addresses with the irregularities of real ones. */

const FIRST = [
  'HIGH DESERT',
  'MESA',
  'GREEN VALLEY',
  'ENCHANTED',
  'SANDIA',
  'RIO GRANDE',
  'TURQUOISE',
  'COYOTE',
  'PIÑON',
  'SUNSET',
  'BLUE CORN',
  'ROADRUNNER',
  'CHILE',
  'YUCCA',
  'ADOBE',
  'ZIA',
  'CANYON',
  'JUNIPER',
  'COTTONWOOD',
  'SILVER',
  'OLD TOWN',
  'NORTH STAR',
  'DESERT ROSE',
  'LUNA',
  'EVERGREEN',
  'HARVEST',
  'SAGE',
  'PRAIRIE',
  'COPPER',
  'MOONLIGHT',
  'GOLDEN',
  'WILD',
] as const;
const SECOND = [
  'FARMS',
  'GARDENS',
  'ORGANICS',
  'BOTANICALS',
  'WELLNESS',
  'CULTIVATION',
  'EXTRACTS',
  'REMEDIES',
  'PROVISIONS',
  'HERBALS',
  'CANNABIS',
  'DISPENSARY',
  'GROWERS',
  'COLLECTIVE',
  'LEAF',
  'HOLDINGS',
  'ALTERNATIVES',
  'CONSUMABLES',
  'GENETICS',
  'TRADING',
] as const;
const ENDING = ['', '', '', ' LLC', ' INC', ' INC.', ', LLC', ' CO'] as const;
export const ODD_NAMES = [
  'GRAM & CO',
  "MAMA'S GARDEN",
  'THE "ORIGINAL" LEAF',
  'Café Verde',
  'Señor Sage',
  'A & B GROWERS, LLC',
  "O'BRIEN FARMS",
  'Naïve Nectar',
  'N/A',
  'TEST',
  '#1 BUDS',
  '5/5 FARMS',
  'Grün & Söhne',
  'HIGH  &  DRY',
  'JALAPEN\u0303O GARDENS',
  'DOLLAR $ LEAF',
  '100% ORGANIC',
  'Zen 禅 Farms',
  'back\\slash growers',
  'LEAF <LIFE>',
  '420 🌿 GARDEN',
] as const;
const STREETS = [
  'CENTRAL AVE NW',
  'MENAUL BLVD NE',
  'CERRILLOS RD',
  'MAIN ST',
  '4TH ST SW',
  'SAN MATEO BLVD',
  'HWY 550',
  'COORS RD',
  'LOMAS BLVD',
  'PASEO DEL NORTE',
  'COUNTY ROAD 12',
  'UNIVERSITY AVE',
  'ALAMEDA ST',
  'VALLEY VIEW DR',
  'INDUSTRIAL PKWY',
] as const;

export const generateName = (random: Random): string =>
  random.chance(0.03) ? random.pick(ODD_NAMES) : `${random.pick(FIRST)} ${random.pick(SECOND)}${random.pick(ENDING)}`;

/** Sites of a chain often have the name of the chain, alone or with the city or a number. */
export const generateSiteName = (random: Random, vendorName: string, city: string, number: number): string => {
  const kind = random.below(10);
  if (kind < 5) return vendorName;
  if (kind < 7) return `${vendorName} - ${city}`;
  if (kind < 9) return `${vendorName} #${number}`;
  return vendorName.toLowerCase();
};

export interface GeneratedAddress {
  readonly address1: string;
  readonly address2: string | null;
  readonly city: string;
  readonly state: string;
  readonly zip: string;
  readonly phone: string;
}

/** Second lines can be empty, "none", or repeated in the first line. Spaces can be doubled. ZIP codes have 5 or 9 digits. */
export const generateAddress = (random: Random, profile: Profile): GeneratedAddress => {
  const [city, zip5] = random.pick(profile.cities);
  const street = `${random.between(1, 9_999)} ${random.pick(STREETS)}`;
  const quirk = random.below(20);
  const suite = `STE ${random.between(1, 40)}`;
  return {
    address1: quirk === 0 ? `${street}  ${suite}` : quirk === 1 ? street.replace(' ', '  ') : street,
    address2: quirk === 0 || quirk === 2 ? suite : quirk === 3 ? 'none' : null,
    city,
    state: profile.abbreviation,
    zip: random.chance(0.4) ? `${zip5}${random.digits(4)}` : zip5,
    phone: `505555${random.digits(4)}`,
  };
};
