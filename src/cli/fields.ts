import { Hidden } from './hidden.js';

/** A part of the input that does not fit, by its JSON pointer (RFC 6901). */
export interface FieldMistake {
  readonly pointer: string;
  readonly detail: string;
}

export type Read<T> = { readonly value: T } | { readonly refusal: string };
export type ReadField<T> = (value: unknown) => Read<T>;

export const toPointer = (parent: string, name: string | number): string =>
  `${parent}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** One line with something in it, as the API wants it. */
export const text =
  (maxLength: number): ReadField<string> =>
  (value) => {
    // A number has lost its leading zeros already, and leading zeros count.
    if (typeof value === 'number') return { refusal: 'must be text: put it in quotes, leading zeros count' };
    if (typeof value !== 'string') return { refusal: 'must be text' };
    if (value.trim() === '') return { refusal: 'must not be blank' };
    if (value.length > maxLength) return { refusal: `must have at most ${maxLength} characters` };
    if (/[\p{Cc}\p{Cs}]/u.test(value)) return { refusal: 'must be one line without control characters' };
    return { value };
  };

/** Text taken as it is, to the last blank. */
export const password: ReadField<Hidden> = (value) => {
  if (typeof value !== 'string') return { refusal: 'must be text' };
  if (value === '') return { refusal: 'must not be empty' };
  if (value.length > 200) return { refusal: 'must have at most 200 characters' };
  // Not `includes`: a NUL is refused by the API, and half of a surrogate pair cannot be sent at all.
  if (value.split('').includes('\0') || /\p{Cs}/u.test(value)) {
    return { refusal: 'must not have NUL or half of a surrogate pair' };
  }
  return { value: new Hidden(value) };
};

export const uuid: ReadField<string> = (value) => {
  const isUuid = typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
  return isUuid ? { value: value.toLowerCase() } : { refusal: 'must be a UUID' };
};

export const oneOf =
  <const T extends string>(...words: readonly T[]): ReadField<T> =>
  (value) => {
    const word = words.find((candidate) => candidate === value);
    return word === undefined ? { refusal: `must be one of: ${words.join(', ')}` } : { value: word };
  };

export const yesOrNo: ReadField<boolean> = (value) =>
  typeof value === 'boolean' ? { value } : { refusal: 'must be true or false' };

/** A base URL: nothing may stand behind the path, and no login may hide in it. */
export const baseUrl: ReadField<string> = (value) => {
  const refusal = { refusal: 'must be a URL that begins with http:// or https://, without user, query or fragment' };
  if (typeof value !== 'string' || !URL.canParse(value)) return refusal;
  const { protocol, username, password: secret, search, hash, href } = new URL(value);
  if (!['http:', 'https:'].includes(protocol) || `${username}${secret}${search}${hash}` !== '') return refusal;
  return { value: href.replace(/\/+$/, '') };
};

/** The members of an object of which only some are known; undefined if it is none. */
export function readObject(
  value: unknown,
  pointer: string,
  known: readonly string[],
  mistakes: FieldMistake[],
): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    mistakes.push({ pointer, detail: 'must be an object' });
    return undefined;
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    mistakes.push({ pointer: toPointer(pointer, name), detail: `is not known; known are ${known.join(', ')}` });
  }
  return value as Readonly<Record<string, unknown>>;
}
