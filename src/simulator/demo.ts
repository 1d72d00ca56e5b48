/**
 * The people who can log in, whatever the seed, the state and the port: a script or a README may rely on them.
 * The UBIs begin with a zero on purpose: leading zeros count, and a client that turns them into numbers is lost.
 */

/** Owns a few sites; every privilege. */
export const DEMO_USER = { ubi: '042517300', username: 'demo@example.com', password: 'demo-password' } as const;

/** Of the same UBI, without `sync_vendor`: the login succeeds and the list is refused with code 62. */
export const LIMITED_USER = {
  ubi: '042517300',
  username: 'limited@example.com',
  password: 'limited-password',
} as const;

/** Of the vendor with the most sites. */
export const SECOND_USER = { ubi: '007331902', username: 'second@example.com', password: 'second-password' } as const;

export const DEMO_SITES = 4;
/** One vendor in New Mexico holds 15–17 licenses. */
export const CHAIN_SITES = 17;
export const DEMO_NAME = 'EXAMPLE MESA FARMS';
export const CHAIN_NAME = 'ENCHANTED CHAIN DISPENSARY';
