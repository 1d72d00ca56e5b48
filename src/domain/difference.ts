import { type FieldPair, toSnakeCaseFields } from './snake-case.js';

/** Fields of an object as the API and the change feed show them. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Difference {
  /** Null for a new object. */
  readonly before: Fields | null;
  /** All fields of a new object, otherwise the changed ones. */
  readonly after: Fields;
}

/** Compares the listed fields; undefined if all are equal. */
export function findDifference<T extends object>(
  before: T | undefined,
  after: T,
  fields: readonly FieldPair<keyof T & string>[],
): Difference | undefined {
  if (before === undefined) return { before: null, after: toSnakeCaseFields(after, fields) };
  const changed = fields.filter(([name]) => !isEqual(before[name], after[name]));
  if (changed.length === 0) return undefined;
  return { before: toSnakeCaseFields(before, changed), after: toSnakeCaseFields(after, changed) };
}

const isEqual = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));
