import Type, { type Static, type TSchema } from 'typebox';
import { MESSAGE_CODES, type MessageParam } from '../domain/message.js';

/** No control characters and no unpaired surrogates: Postgres or JSON cannot store them. */
const LINE = '^[^\\u0000-\\u001F\\u007F\\uD800-\\uDFFF]*$';
/** A LINE with at least one character that is not white space. */
const NON_BLANK_LINE =
  '^[^\\u0000-\\u001F\\u007F\\uD800-\\uDFFF]*[^\\s\\u0000-\\u001F\\u007F\\uD800-\\uDFFF][^\\u0000-\\u001F\\u007F\\uD800-\\uDFFF]*$';
/** Anything but NUL and unpaired surrogates. */
const OPAQUE = '^[^\\u0000\\uD800-\\uDFFF]*$';

type Notes = {
  readonly description?: string;
  readonly examples?: unknown[];
  readonly minProperties?: number;
  readonly pattern?: string;
};

/** One line of text, not blank. */
export const Text = (maxLength: number, notes: Notes = {}) =>
  Type.String({ minLength: 1, maxLength, pattern: NON_BLANK_LINE, ...notes });

/** One line of text, possibly blank, such as a search term. */
export const Line = (maxLength: number, notes: Notes = {}) => Type.String({ maxLength, pattern: LINE, ...notes });

/** Text that is neither trimmed nor restricted to one line, such as a password. */
export const OpaqueText = (maxLength: number, notes: Notes = {}) =>
  Type.String({ minLength: 1, maxLength, pattern: OPAQUE, ...notes });

/** Text in a response. */
export const ResponseText = (notes: Notes = {}) => Type.String({ ...notes });

/** In a request, upper case is accepted and converted to lower case; see `validation.ts`. */
export const Uuid = (notes: Notes = {}) =>
  Type.String({ format: 'uuid', examples: ['0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11'], ...notes });

/**
 * RFC 3339 as accepted by both JavaScript and Postgres: no leap seconds, no years before 1000, and not 9999, which can be
 * the year 10000 in UTC.
 */
export const DATETIME_PATTERN =
  '^([1-8]\\d{3}|9[0-8]\\d{2}|99[0-8]\\d|999[0-8])-\\d{2}-\\d{2}T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$';

/** The error message for a value that does not match a pattern. */
export function toPatternDetail(pattern: string): string {
  if (pattern === DATETIME_PATTERN) return 'must be an RFC 3339 datetime, such as 2026-11-24T08:15:30Z';
  return 'must not be blank or contain control characters';
}

/** A datetime in a request. */
export const DatetimeInput = (notes: Notes = {}) => Datetime({ pattern: DATETIME_PATTERN, ...notes });

/** A datetime in a response: RFC 3339, UTC. */
export const Datetime = (notes: Notes = {}) =>
  Type.String({ format: 'date-time', maxLength: 40, examples: ['2026-11-24T08:15:30.000Z'], ...notes });

export const Count = (notes: Notes = {}) => Type.Integer({ format: 'int32', minimum: 0, ...notes });

/** A number that can exceed 32 bits within the life of a tenant. */
export const LongCount = (notes: Notes = {}) => Type.Integer({ format: 'int64', minimum: 0, ...notes });

/** A closed string enum, for requests. */
export const OneOf = <const T extends string>(values: readonly T[], notes: Notes = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...notes });

/** Several words in a query parameter, separated by commas; see `parseWordList`. */
export const WordList = (words: readonly string[], description: string) =>
  Type.String({
    minLength: 1,
    maxLength: words.join(',').length,
    description: `${description} One or more, separated by commas: ${words.map((word) => `\`${word}\``).join(', ')}.`,
    examples: [words.slice(0, 2).join(',')],
  });

/** The OpenAPI extension with the known values of an open enum. */
export const KNOWN_VALUES = 'x-extensible-enum';

/** An open string enum, for responses: later versions of the API can return other values. */
export const KnownOf = <const T extends string>(values: readonly T[], { description, ...notes }: Notes = {}) =>
  Type.Unsafe<T>({
    type: 'string',
    [KNOWN_VALUES]: [...values],
    ...notes,
    description: [
      ...(description === undefined ? [] : [description]),
      `Known values: ${values.map((value) => `\`${value}\``).join(', ')}. Others may be added.`,
    ].join(' '),
  });

/** A named schema, or null. */
export const NullableObject = <S extends TSchema>(schema: S, notes: Notes = {}) =>
  Type.Unsafe<Static<S> | null>({ anyOf: [schema, { type: 'null' }], ...notes });

/** Also accepts null. For schemas with a type; see `NullableObject` for others. */
export function Nullable<S extends TSchema>(schema: S) {
  const { type, enum: values, ...rest } = schema as unknown as { type: string; enum?: unknown[] };
  const nullable = { ...rest, type: [type, 'null'], ...(values === undefined ? {} : { enum: [...values, null] }) };
  return Type.Unsafe<Static<S> | null>(nullable);
}

/** An object in a request; unknown properties are rejected. */
export const Body = <P extends Record<string, TSchema>>(properties: P, notes: Notes = {}) =>
  Type.Object(properties, { additionalProperties: false, ...notes });

/** An object in a response; properties may be added later. */
export const Reply = <P extends Record<string, TSchema>>(properties: P, notes: Notes = {}) =>
  Type.Object(properties, notes);

/** The component schemas of the OpenAPI document. */
const named = new Map<string, TSchema>();

/** Registers a component schema. @returns a reference to it with the same TypeScript type */
export function Named<S extends TSchema>(name: string, schema: S) {
  if (named.has(name)) throw new Error(`duplicate schema name ${name}`);
  named.set(name, Type.Unsafe({ $id: name, title: name, ...schema }));
  return Type.Unsafe<Static<S>>({ $ref: `${name}#` });
}

export const listNamedSchemas = (): readonly TSchema[] => [...named.values()];

/** The schema that a reference of `Named` stands for. */
export const findNamedSchema = (reference: string): TSchema | undefined => named.get(reference.replace(/#$/, ''));

/** A text for users that a frontend can translate; see `domain/message.ts`. */
export const MessageSchema = Named(
  'Message',
  Reply(
    {
      code: KnownOf(MESSAGE_CODES, { examples: ['step_required'] }),
      params: Type.Unsafe<Readonly<Record<string, MessageParam>>>({
        type: 'object',
        additionalProperties: true,
        description:
          'Every fact in `text`: strings, numbers or lists of strings. `{}` if there is none. The API guide lists the params of each code.',
        examples: [{ step: 'ubi' }],
      }),
      text: ResponseText({
        description: 'The message in English, for developers. Can change; use `code` and `params` for a translation.',
        examples: ['Complete the step `ubi` first.'],
      }),
    },
    { description: 'A message for users.' },
  ),
);

/** The fields of every page of a list. */
export const pageFields = <S extends TSchema>(item: S) => ({
  data: Type.Array(item),
  next_page: Nullable(
    Type.String({ format: 'uri', description: 'The absolute URL of the next page, or null on the last page.' }),
  ),
});

/** A page of a list. */
export const Page = <S extends TSchema>(name: string, item: S) => Named(name, Reply(pageFields(item)));

export const DEFAULT_PAGE_SIZE = 100;
export const MAX_PAGE_SIZE = 500;

/** The query parameters of every list. */
export const pageQuery = {
  'page[size]': Type.Optional(
    Type.Integer({
      format: 'int32',
      minimum: 1,
      maximum: MAX_PAGE_SIZE,
      description: `Maximum number of items per page. Defaults to ${DEFAULT_PAGE_SIZE}.`,
    }),
  ),
  'page[after]': Type.Optional(
    Type.String({
      minLength: 1,
      // A cursor of the user list contains a user id of up to 200 characters with up to four bytes each.
      maxLength: 1_500,
      description: 'An opaque cursor from `next_page`. Only valid for the same list with the same filters.',
    }),
  ),
};

export const TenantParams = Body({ tenant_id: Uuid({ description: 'The id of the tenant.' }) });
export const toItemParams = (noun: string) =>
  Body({
    tenant_id: Uuid({ description: 'The id of the tenant.' }),
    id: Uuid({ description: `The id of the ${noun}.` }),
  });

/** The field of a resource that holds its ETag. Responses have the same value as a header. */
export const etagField = {
  etag: Type.String({ description: 'The version of the resource, for `If-Match`.', examples: ['"3"'] }),
};

/** The request header of every read. */
export const ifNoneMatchHeader = {
  'if-none-match': Type.Optional(
    Type.String({
      maxLength: 1_000,
      description: 'The ETag of a previous response of the same URL. Returns 304 if nothing has changed since.',
      examples: ['"J2n0PQx4cZ1mXo8eU7d5rw"'],
    }),
  ),
};

export const etagHeader = {
  etag: Type.String({
    description:
      'Identifies the content of the response, for `If-None-Match`. For a resource with the field `etag`, it also has that version, so that it can be sent as `If-Match`.',
    examples: ['"3-J2n0PQx4cZ1mXo8eU7d5rw"'],
  }),
};

const ifMatch = Type.String({
  maxLength: 1_000,
  description:
    'The `etag` of the resource as last read, several of them, or `*` for any version. Weak ETags (`W/"3"`) count like strong ones.',
  examples: ['"3"'],
});

/** The request header of a PATCH or DELETE. A missing one is a 428, not a 400; see `openapi.ts`. */
export const ifMatchHeader = { 'if-match': Type.Optional(ifMatch) };

/** The request headers of a PUT. */
export const putHeaders = {
  'if-match': Type.Optional(ifMatch),
  'if-none-match': Type.Optional(
    Type.String({
      maxLength: 1_000,
      description: '`*` for the first PUT, when the resource does not exist yet.',
      examples: ['*'],
    }),
  ),
};

export const locationHeader = { location: Type.String({ format: 'uri', description: 'The URL of the new resource.' }) };
