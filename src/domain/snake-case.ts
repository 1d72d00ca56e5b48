/** `isOwnCompany` as `is_own_company`, the spelling of JSON fields and SQL columns. */
export type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : Name;

type ToText<Value> = Value extends Date ? string : Value;

/** The same fields under their snake_case names, with times as RFC 3339 text. */
export type SnakeCased<T> = { -readonly [K in keyof T as K extends string ? SnakeCase<K> : never]: ToText<T[K]> };

/** The fields as a row or a request body holds them: snake_case names, values unchanged. */
export type SnakeCasedInput<T> = { readonly [K in keyof T as K extends string ? SnakeCase<K> : never]: T[K] };

/** Names come from lists in the code, never from input, so this stays small. */
const known = new Map<string, string>();

export function toSnakeCase<Name extends string>(name: Name): SnakeCase<Name> {
  let converted = known.get(name);
  if (converted === undefined) {
    converted = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    known.set(name, converted);
  }
  return converted as SnakeCase<Name>;
}

/** Copies the named fields of an object to snake_case; fields that are undefined are left out. */
export function toSnakeCaseFields<T extends object, K extends keyof T & string>(
  object: T,
  names: readonly K[],
): SnakeCased<Pick<T, K>> {
  const fields: Record<string, unknown> = {};
  for (const name of names) {
    const value: unknown = object[name];
    if (value !== undefined) fields[toSnakeCase(name)] = typeof value === 'object' ? toText(value) : value;
  }
  return fields as SnakeCased<Pick<T, K>>;
}

const toText = (value: object | null): unknown => (value instanceof Date ? value.toISOString() : value);

/** Copies the named fields of a row or a request body from snake_case; fields that are undefined are left out. */
export function fromSnakeCaseFields<T extends object>(
  fields: SnakeCasedInput<T>,
  names: readonly (keyof T & string)[],
): T {
  const object: Record<string, unknown> = {};
  for (const name of names) {
    const value: unknown = (fields as Readonly<Record<string, unknown>>)[toSnakeCase(name)];
    if (value !== undefined) object[name] = value;
  }
  return object as T;
}
