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
export function createKeysetFile(id: string): string {
  return `${JSON.stringify({ keys: [{ id, key: randomBytes(KEY_BYTES).toString('base64') }] }, null, 2)}\n`;
}

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
