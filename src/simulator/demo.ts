/**
 * The users that can log in. They are the same for every seed and state, so that scripts and documents can use them.
 * Their UBIs have leading zeros to catch clients that treat UBIs as numbers.
 */

/** Has all privileges. Its UBI owns a few sites. */
export const DEMO_USER = { ubi: '042517300', username: 'demo@example.com', password: 'demo-password' } as const;

/** Same UBI, without the privilege `sync_vendor`: the login succeeds and the list is refused with code 62. */
export const LIMITED_USER = {
  ubi: '042517300',
  username: 'limited@example.com',
  password: 'limited-password',
} as const;

/** Has all privileges. Its UBI owns the most sites. */
export const SECOND_USER = { ubi: '007331902', username: 'second@example.com', password: 'second-password' } as const;

export const DEMO_SITES = 4;
/** The largest vendor in New Mexico holds 15–17 licenses. */
export const CHAIN_SITES = 17;
export const DEMO_NAME = 'EXAMPLE MESA FARMS';
export const CHAIN_NAME = 'ENCHANTED CHAIN DISPENSARY';
