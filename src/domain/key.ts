/**
 * Keys are what two spellings of one identifier have in common: Unicode NFC, no white space at the ends, inner runs
 * of white space one space. Case and leading zeros count. The spelling itself is kept for display.
 */
const toKey = (text: string): string => (PLAIN.test(text) ? text : text.normalize('NFC').trim().replace(/\s+/gu, ' '));

/** Printable ASCII without a space at an end or beside another: most texts, which are their own keys. */
const PLAIN = /^[!-~]+(?: [!-~]+)*$/;

/** The identity of a license within a state. Empty for a blank license number, which identifies nothing. */
export const toLicenseKey = (licenseNumber: string): string => toKey(licenseNumber);

/** The identity of a vendor within a state; null for a blank UBI, which identifies nobody. */
export const toUbiKey = (ubi: string | null): string | null => (ubi === null ? null : toKey(ubi) || null);

/** What two names that people would read as the same have in common; only for telling companies apart, never identity. */
export const toNameKey = (name: string): string => toKey(name).toLowerCase();
