import { joinSearchFields, toSearchNumber, toSearchText } from '../domain/search-text.js';
import type { CompanyState, LicenseState } from '../mapping/index.js';

/**
 * What a search finds a company by, besides its `ubi_key` and its legal business name, which is stored apart because plans do
 * not load it. The first line is the display name, by which companies are sorted. The edited name is always the beginning of
 * the display name.
 */
export const toCompanySearchText = ({
  displayName,
  sourceName,
  ubiKey,
}: Pick<CompanyState, 'displayName' | 'sourceName' | 'ubiKey'>): string =>
  joinSearchFields(toSearchText(displayName), [toSearchText(sourceName ?? ''), toOtherNumber(ubiKey)]);

type SearchedLicense = Pick<LicenseState, 'licenseKey' | 'name' | 'ubiKey'> & {
  readonly address: Pick<LicenseState['address'], 'city'>;
};

/** What a search finds a license by, besides its `license_key` and `ubi_key`, wherever it moves. */
export const toLicenseSearchText = ({ licenseKey, name, ubiKey, address: { city } }: SearchedLicense): string =>
  joinSearchFields(toSearchText(name ?? ''), [
    toSearchText(city ?? ''),
    toOtherNumber(licenseKey),
    toOtherNumber(ubiKey),
  ]);

/** Empty for most keys, which are already as they are searched. The search also reads the keys. */
function toOtherNumber(key: string | null): string {
  const number = toSearchNumber(key ?? '');
  return number === key ? '' : number;
}
