/** Orders text by code units: the same on every machine and in every locale. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Orders decimal numbers of any length (no sign, no leading zeros); unknown comes last. */
export function compareDigits(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return a.length - b.length || compareText(a, b);
}

interface Aged {
  readonly licenseKey: string;
  readonly transactionIdOriginal: string | null;
}

/** The older license first: by the state's number at its creation, ties by license number. */
export const compareAge = (a: Aged, b: Aged): number =>
  compareDigits(a.transactionIdOriginal, b.transactionIdOriginal) || compareText(a.licenseKey, b.licenseKey);
