/** Orders text by code units, independent of the locale. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Orders decimal numbers of any length without sign or leading zeros. Null sorts last. */
export function compareDigits(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return a.length - b.length || compareText(a, b);
}

interface HasAge {
  readonly licenseKey: string;
  readonly transactionIdOriginal: string | null;
}

/** Orders licenses from oldest to newest, by the state's number at creation; ties by license key. */
export const compareAge = (a: HasAge, b: HasAge): number =>
  compareDigits(a.transactionIdOriginal, b.transactionIdOriginal) || compareText(a.licenseKey, b.licenseKey);
