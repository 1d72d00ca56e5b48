import Type, { type Static, type TSchema } from 'typebox';

/** No control characters, no half of a surrogate pair: what Postgres and JSON can both hold and a person can read. */
const LINE = '^[^\\u0000-\\u001F\\u007F\\uD800-\\uDFFF]*$';
/** The same with at least one character that is not white space. */
const NON_BLANK_LINE =
  '^[^\\u0000-\\u001F\\u007F\\uD800-\\uDFFF]*[^\\s\\u0000-\\u001F\\u007F\\uD800-\\uDFFF][^\\u0000-\\u001F\\u007F\\uD800-\\uDFFF]*$';
/** Any text without NUL and without half of a surrogate pair: a password may hold what it likes. */
const OPAQUE = '^[^\\u0000\\uD800-\\uDFFF]*$';

type Notes = {
  readonly description?: string;
  readonly examples?: unknown[];
  readonly minProperties?: number;
  readonly pattern?: string;
};

/** One line of text with something in it. */
export const Text = (maxLength: number, notes: Notes = {}) =>
  Type.String({ minLength: 1, maxLength, pattern: NON_BLANK_LINE, ...notes });

/** One line of text, possibly blank: a search term. */
export const Line = (maxLength: number, notes: Notes = {}) => Type.String({ maxLength, pattern: LINE, ...notes });

/** Text taken as it is, to the last blank: a password. */
export const OpaqueText = (maxLength: number, notes: Notes = {}) =>
  Type.String({ minLength: 1, maxLength, pattern: OPAQUE, ...notes });

/** Text as it is stored and given back. */
export const Shown = (notes: Notes = {}) => Type.String({ ...notes });

const UUID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

export const Uuid = (notes: Notes = {}) =>
  Type.String({
    pattern: UUID_PATTERN,
    minLength: 36,
    maxLength: 36,
    examples: ['0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11'],
    ...notes,
  });

/** RFC 3339 as JavaScript and Postgres both take it: no leap second, no year before 1000. */
export const DATETIME_PATTERN =
  '^[1-9]\\d{3}-\\d{2}-\\d{2}T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$';

/** What a pattern of ours wants, in words. */
export function toPatternDetail(pattern: string): string {
  if (pattern === UUID_PATTERN) return 'must be a UUID in lower case';
  if (pattern === DATETIME_PATTERN) return 'must be an RFC 3339 time, such as 2026-11-24T08:15:30Z';
  return 'holds characters that are not allowed, or is blank';
}

/** An instant in a request. */
export const DatetimeInput = (notes: Notes = {}) => Datetime({ pattern: DATETIME_PATTERN, ...notes });

/** An instant, RFC 3339, in UTC when we give it. */
export const Datetime = (notes: Notes = {}) =>
  Type.String({ format: 'date-time', maxLength: 40, examples: ['2026-11-24T08:15:30.000Z'], ...notes });

export const Count = (notes: Notes = {}) => Type.Integer({ minimum: 0, ...notes });

/** One of a closed list of words. */
export const OneOf = <const T extends string>(values: readonly T[], notes: Notes = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...notes });

/** The same, or null. */
export function Nullable<S extends TSchema>(schema: S) {
  const { type, enum: values, ...rest } = schema as unknown as { type: string; enum?: unknown[] };
  const nullable = { ...rest, type: [type, 'null'], ...(values === undefined ? {} : { enum: [...values, null] }) };
  return Type.Unsafe<Static<S> | null>(nullable);
}

/** An object in a request: what is not named is refused. */
export const Body = <P extends Record<string, TSchema>>(properties: P, notes: Notes = {}) =>
  Type.Object(properties, { additionalProperties: false, ...notes });

/** An object in a reply: callers are told to expect that it grows. */
export const Reply = <P extends Record<string, TSchema>>(properties: P, notes: Notes = {}) =>
  Type.Object(properties, notes);

/** Schemas that the document names; every reference to one is by its name. */
const named = new Map<string, TSchema>();

/** Gives a schema its name in the document, and a reference to it that still has its type. */
export function Named<S extends TSchema>(name: string, schema: S) {
  if (named.has(name)) throw new Error(`two schemas are called ${name}`);
  named.set(name, Type.Unsafe({ $id: name, title: name, ...schema }));
  return Type.Unsafe<Static<S>>({ $ref: `${name}#` });
}

export const listNamedSchemas = (): readonly TSchema[] => [...named.values()];

/** A page of a list. */
export const Page = <S extends TSchema>(name: string, item: S) =>
  Named(
    name,
    Reply({
      data: Type.Array(item),
      next_page: Nullable(
        Type.String({ format: 'uri', description: 'The whole URL of the next page; null on the last one.' }),
      ),
    }),
  );

export const DEFAULT_PAGE_SIZE = 100;
export const MAX_PAGE_SIZE = 500;

/** The query parameters that every list takes. */
export const pageQuery = {
  'page[size]': Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_PAGE_SIZE,
      description: `Items on a page; ${DEFAULT_PAGE_SIZE} unless told.`,
    }),
  ),
  'page[after]': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 1200,
      description: 'From `next_page`; opaque, and good for the same list only.',
    }),
  ),
};

export const TenantParams = Body({ tenant_id: Uuid({ description: 'The tenant.' }) });
export const ItemParams = Body({
  tenant_id: Uuid({ description: 'The tenant.' }),
  id: Uuid({ description: 'Of the object.' }),
});

/** What a reply with a version of its own carries. */
export const etagHeader = {
  etag: Type.String({ description: 'The version of the resource, for If-Match.', examples: ['"3"'] }),
};

const ifMatch = Type.String({ maxLength: 200, description: 'The ETag of your last read.', examples: ['"3"'] });

/** Headers are not refused when unknown, as bodies are: any proxy adds some. */
export const ifMatchHeader = Type.Object({ 'if-match': Type.Optional(ifMatch) });

export const putHeaders = Type.Object({
  'if-match': Type.Optional(ifMatch),
  'if-none-match': Type.Optional(
    Type.String({ maxLength: 200, description: '`*` for the first PUT, when there is nothing yet.', examples: ['*'] }),
  ),
});

/** Where a new resource can be read. */
export const locationHeader = { location: Type.String({ description: 'The path of the new resource.' }) };
