import { randomBytes } from 'node:crypto';

export interface VaultKey {
  /** Stands in every sealed text, so that it can be opened after another key became the first. */
  readonly id: string;
  readonly key: Buffer;
}

/** The keys that seal: the first seals and opens, the others only open. */
export type Keyset = readonly [VaultKey, ...VaultKey[]];

const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;

/** What is wrong with a keyset file; never says anything of a key itself. */
export class KeysetError extends Error {}

/**
 * Reads `{"keys":[{"id":"…","key":"<32 bytes, base64>"}, …]}`; the first key is the one that seals.
 * @throws KeysetError that names the place
 */
export function parseKeyset(text: string): Keyset {
  const file = parseJson(text);
  const entries = isRecord(file) ? file.keys : undefined;
  if (!Array.isArray(entries) || entries.length === 0)
    throw new KeysetError('/keys must be a list with at least one key');
  const [first, ...others] = entries.map(toKey);
  const keyset: Keyset = [first as VaultKey, ...others];
  const ids = new Set(keyset.map(({ id }) => id));
  if (ids.size !== keyset.length) throw new KeysetError('/keys must not hold an id twice');
  return keyset;
}

/** A keyset file with one new key. */
export const createKeysetFile = (id: string): string => renderKeyset([createKey(id)]);

export function renderKeyset(keyset: Keyset): string {
  const keys = keyset.map(({ id, key }) => ({ id, key: key.toString('base64') }));
  return `${JSON.stringify({ keys }, null, 2)}\n`;
}

/**
 * A key that opens and does not seal yet: every process has to know it before the first one seals with it.
 * @throws KeysetError
 */
export function addKey(keyset: Keyset, id: string): Keyset {
  if (!KEY_ID.test(id)) throw new KeysetError('a key id is 1 to 32 letters, digits, _ or -');
  if (keyset.some((key) => key.id === id)) throw new KeysetError(`there is a key ${id} already`);
  return [...keyset, createKey(id)];
}

/**
 * The key seals from now on; the one that did only opens.
 * @throws KeysetError
 */
export function promoteKey(keyset: Keyset, id: string): Keyset {
  return [getKey(keyset, id), ...keyset.filter((key) => key.id !== id)];
}

/**
 * Takes a key out. Nothing may be sealed with it any more, which only the database knows.
 * @throws KeysetError for the key that seals
 */
export function retireKey(keyset: Keyset, id: string): Keyset {
  const [primary, ...others] = keyset;
  if (getKey(keyset, id) === primary) throw new KeysetError(`${id} is the key that seals; promote another one first`);
  return [primary, ...others.filter((key) => key.id !== id)];
}

function getKey(keyset: Keyset, id: string): VaultKey {
  const key = keyset.find((each) => each.id === id);
  if (key === undefined) throw new KeysetError(`there is no key ${id}`);
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
    // The parser's own message would quote the file.
    throw new KeysetError('the file is not JSON');
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
