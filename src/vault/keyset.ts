import { randomBytes } from 'node:crypto';

export interface VaultKey {
  /** Part of every sealed text, so that the text can be opened after a key rotation. */
  readonly id: string;
  readonly key: Buffer;
}

/** The first key seals and opens; the others only open. */
export type Keyset = readonly [VaultKey, ...VaultKey[]];

const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;

/** The message describes a keyset file and never contains key material. */
export class KeysetError extends Error {}

/**
 * Parses `{"keys":[{"id":"…","key":"<32 bytes, base64>"}, …]}`; the first key seals.
 * @throws KeysetError with a JSON pointer
 */
export function parseKeyset(text: string): Keyset {
  const file = parseJson(text);
  const entries = isRecord(file) ? file.keys : undefined;
  if (!Array.isArray(entries) || entries.length === 0)
    throw new KeysetError('/keys must be an array with at least one key');
  const [first, ...others] = entries.map(toKey);
  const keyset: Keyset = [first as VaultKey, ...others];
  const ids = new Set(keyset.map(({ id }) => id));
  if (ids.size !== keyset.length) throw new KeysetError('/keys must not contain the same id twice');
  return keyset;
}

/** Text of a keyset file with one new key. */
export const createKeysetFile = (id: string): string => renderKeyset([createKey(id)]);

export function renderKeyset(keyset: Keyset): string {
  const keys = keyset.map(({ id, key }) => ({ id, key: key.toString('base64') }));
  return `${JSON.stringify({ keys }, null, 2)}\n`;
}

/**
 * Adds a new key that does not seal yet: all processes need it before the first one seals with it.
 * @throws KeysetError
 */
export function addKey(keyset: Keyset, id: string): Keyset {
  if (!KEY_ID.test(id)) throw new KeysetError('a key ID must be 1 to 32 letters, digits, _ or -');
  if (keyset.some((key) => key.id === id)) throw new KeysetError(`key ${id} already exists`);
  return [...keyset, createKey(id)];
}

/**
 * Makes a key the one that seals; the previous one then only opens.
 * @throws KeysetError
 */
export function promoteKey(keyset: Keyset, id: string): Keyset {
  return [getKey(keyset, id), ...keyset.filter((key) => key.id !== id)];
}

/**
 * Deletes a key. The caller must check that nothing in the database is sealed with it.
 * @throws KeysetError for the key that seals
 */
export function retireKey(keyset: Keyset, id: string): Keyset {
  const [primary, ...others] = keyset;
  if (getKey(keyset, id) === primary) throw new KeysetError(`key ${id} seals new passwords; promote another key first`);
  return [primary, ...others.filter((key) => key.id !== id)];
}

function getKey(keyset: Keyset, id: string): VaultKey {
  const key = keyset.find((each) => each.id === id);
  if (key === undefined) throw new KeysetError(`key ${id} does not exist`);
  return key;
}

const createKey = (id: string): VaultKey => ({ id, key: randomBytes(KEY_BYTES) });

function toKey(entry: unknown, index: number): VaultKey {
  if (!isRecord(entry)) throw new KeysetError(`/keys/${index} must be an object`);
  const { id, key } = entry;
  if (typeof id !== 'string' || !KEY_ID.test(id)) {
    throw new KeysetError(`/keys/${index}/id must be 1 to 32 letters, digits, _ or -`);
  }
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : Buffer.alloc(0);
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== key) {
    throw new KeysetError(`/keys/${index}/key must be ${KEY_BYTES} bytes in base64`);
  }
  return { id, key: bytes };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote the file.
    throw new KeysetError('the file is not valid JSON');
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
