import { Hidden } from './hidden.js';

/** An invalid part of the input; `pointer` is a JSON pointer (RFC 6901). */
export interface InputError {
  readonly pointer: string;
  readonly detail: string;
}

export type ParsedField<T> = { readonly value: T } | { readonly error: string };
export type FieldParser<T> = (value: unknown) => ParsedField<T>;

export const toPointer = (parent: string, name: string | number): string =>
  `${parent}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** A non-blank line. The limits are those of the API. */
export const text =
  (maxLength: number): FieldParser<string> =>
  (value) => {
    if (typeof value === 'number') return { error: 'must be a string, to keep leading zeros' };
    if (typeof value !== 'string') return { error: 'must be a string' };
    if (value.trim() === '') return { error: 'must not be blank' };
    if (value.length > maxLength) return { error: `must have at most ${maxLength} characters` };
    if (/[\p{Cc}\p{Cs}]/u.test(value)) return { error: 'must not contain control characters' };
    return { value };
  };

/** Not trimmed. */
export const password: FieldParser<Hidden> = (value) => {
  if (typeof value !== 'string') return { error: 'must be a string' };
  if (value === '') return { error: 'must not be empty' };
  if (value.length > 200) return { error: 'must have at most 200 characters' };
  // The API rejects NUL, and a lone surrogate cannot be sent as UTF-8.
  if (value.includes('\0') || /\p{Cs}/u.test(value)) {
    return { error: 'must not contain NUL or a lone surrogate' };
  }
  return { value: new Hidden(value) };
};

export const uuid: FieldParser<string> = (value) => {
  const isUuid = typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
  return isUuid ? { value: value.toLowerCase() } : { error: 'must be a UUID' };
};

export const oneOf =
  <const T extends string>(...words: readonly T[]): FieldParser<T> =>
  (value) => {
    const word = words.find((candidate) => candidate === value);
    return word === undefined ? { error: `must be one of: ${words.join(', ')}` } : { value: word };
  };

export const boolean: FieldParser<boolean> = (value) =>
  typeof value === 'boolean' ? { value } : { error: 'must be true or false' };

export const baseUrl: FieldParser<string> = (value) => {
  const error = { error: 'must be a URL that starts with http:// or https://, without user, query or fragment' };
  if (typeof value !== 'string' || !URL.canParse(value)) return error;
  const { protocol, username, password: secret, search, hash, href } = new URL(value);
  if (!['http:', 'https:'].includes(protocol) || `${username}${secret}${search}${hash}` !== '') return error;
  return { value: href.replace(/\/+$/, '') };
};

/** Returns an object's members and reports unknown ones; undefined if the value is not an object. */
export function readObject(
  value: unknown,
  pointer: string,
  known: readonly string[],
  errors: InputError[],
): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    errors.push({ pointer, detail: 'must be an object' });
    return undefined;
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    errors.push({ pointer: toPointer(pointer, name), detail: `is unknown; known members: ${known.join(', ')}` });
  }
  return value as Readonly<Record<string, unknown>>;
}
