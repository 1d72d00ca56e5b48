/** `isOwnCompany` as `is_own_company`, the spelling of JSON fields and SQL columns. */
export type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : Name;

type ToText<Value> = Value extends Date ? string : Value;

/** The same fields under their snake_case names, with times as RFC 3339 text. */
export type SnakeCased<T> = { -readonly [K in keyof T as K extends string ? SnakeCase<K> : never]: ToText<T[K]> };

/** The fields as a row or a request body holds them: snake_case names, values unchanged. */
export type SnakeCasedInput<T> = { readonly [K in keyof T as K extends string ? SnakeCase<K> : never]: T[K] };

export const toSnakeCase = <Name extends string>(name: Name): SnakeCase<Name> =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) as SnakeCase<Name>;

/** The name of a field with its snake_case spelling. */
export type FieldPair<Name extends string> = readonly [name: Name, snakeCase: string];

export const toFieldPairs = <Name extends string>(names: readonly Name[]): FieldPair<Name>[] =>
  names.map((name) => [name, toSnakeCase(name)]);

/** Copies the listed fields of an object for JSON; fields that are undefined are left out. */
export function toSnakeCaseFields<T extends object, K extends keyof T & string>(
  object: T,
  fields: readonly FieldPair<K>[],
): SnakeCased<Pick<T, K>> {
  const copy: Record<string, unknown> = {};
  for (const [name, snakeCase] of fields) {
    const value: unknown = object[name];
    if (value !== undefined) copy[snakeCase] = typeof value === 'object' ? toText(value) : value;
  }
  return copy as SnakeCased<Pick<T, K>>;
}

const toText = (value: object | null): unknown => (value instanceof Date ? value.toISOString() : value);

/**
 * Copies the listed fields of an object for a row; fields that are undefined are left out. A `Date` stays one: Postgres
 * rejects the RFC 3339 text of a year after 9999.
 */
export function toRow<T extends object, K extends keyof T & string>(
  object: T,
  fields: readonly FieldPair<K>[],
): SnakeCasedInput<Pick<T, K>> {
  const row: Record<string, unknown> = {};
  for (const [name, snakeCase] of fields) if (object[name] !== undefined) row[snakeCase] = object[name];
  return row as SnakeCasedInput<Pick<T, K>>;
}

/** Copies the listed fields of a row or a request body from snake_case; fields that are undefined are left out. */
export function fromSnakeCaseFields<T extends object>(
  input: SnakeCasedInput<T>,
  fields: readonly FieldPair<keyof T & string>[],
): T {
  const object: Record<string, unknown> = {};
  for (const [name, snakeCase] of fields) {
    const value: unknown = (input as Readonly<Record<string, unknown>>)[snakeCase];
    if (value !== undefined) object[name] = value;
  }
  return object as T;
}

export function namesOf<Name extends string>(fields: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(fields) as Name[];
}

/** Columns with their types, for bulk writes. */
export const toColumns = (fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fields).map(([name, type]) => [toSnakeCase(name), type]));

type Aliased<Name extends string> = { [N in Name]: `${SnakeCase<N>} as ${N}` }[Name];

/** A select list for the query builder whose rows have the names of the fields. */
export const toSelectList = <Name extends string>(names: readonly Name[]): Aliased<Name>[] =>
  names.map((name) => `${toSnakeCase(name)} as ${name}` as Aliased<Name>);
