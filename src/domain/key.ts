/**
 * Normalizes an identifier for comparison: Unicode NFC, trimmed, inner whitespace collapsed to one space. Case and
 * leading zeros are significant. The original spelling is kept for display.
 */
const toKey = (text: string): string => (PLAIN.test(text) ? text : text.normalize('NFC').trim().replace(/\s+/gu, ' '));

/** Fast path: printable ASCII, or the dash of display names, without leading, trailing or repeated spaces is its own key. */
const PLAIN = /^[!-~–]+(?: [!-~–]+)*$/;

/** The identity of a license within a state. Empty if the license number is blank. */
export const toLicenseKey = (licenseNumber: string): string => toKey(licenseNumber);

/** The identity of a vendor within a state. Null if the UBI is blank. */
export const toUbiKey = (ubi: string | null): string | null => (ubi === null ? null : toKey(ubi) || null);

/** The name without differences in white space, which are no rename. Null if it is blank. */
export const toTidyName = (name: string | null): string | null => (name === null ? null : toKey(name) || null);

/** Equal for names that look the same to a reader. For display names only, never for identity. */
export const toNameKey = (name: string): string => toKey(name).toLowerCase();

/** Equal for usernames that BioTrack may treat as one, in any case and with blanks around them. */
export const toUsernameKey = (username: string): string => username.normalize('NFC').trim().toLowerCase();
