import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import type { JsonDocument, Operation, Parameter } from './contract.js';
import type { Ask } from './service.js';

/** Requests made from the OpenAPI document alone: such as it allows, and such as it does not. */

/** A request, and what is wrong with it; nothing for one that is right. */
export interface MadeRequest {
  readonly method: string;
  readonly path: string;
  readonly options: Ask;
  readonly wrong: string | undefined;
}

/** Ids of things that are there, by the name of the parameter and of the list that it is in. */
export type KnownIds = (operation: Operation, name: string) => readonly string[];

export interface RequestMaker {
  toValid(operation: Operation): fc.Arbitrary<MadeRequest>;
  toBroken(operation: Operation): fc.Arbitrary<MadeRequest>;
}

const uuid = fc.uuid({ version: 7 });
const datetime = fc.oneof(
  fc
    .date({ min: new Date('1900-01-01T00:00:00Z'), max: new Date('2999-12-31T23:59:59Z'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  fc.constantFrom('2026-11-24T08:15:30Z', '2024-02-29T23:59:59.999999+14:00', '2026-01-01T00:00:00-12:00'),
);
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 30 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "'; drop table tenants; --",
      '%_\\',
      '0',
      '007',
      'null',
      '{"a":1}',
      '<b>',
      '🌿',
      '../..',
      '$1',
    ),
  },
);

export function createRequestMaker(document: JsonDocument, knownIds: KnownIds): RequestMaker {
  const { components } = document as { components: { schemas: Readonly<Record<string, JsonDocument>> } };
  const ajv = addFormats.default(new Ajv2020({ strict: false }));
  const compiled = new Map<JsonDocument, ValidateFunction>();
  const fits = (schema: JsonDocument, value: unknown): boolean => {
    const validate = compiled.get(schema) ?? ajv.compile({ ...schema, components });
    compiled.set(schema, validate);
    return validate(value);
  };

  const resolve = (schema: JsonDocument): JsonDocument =>
    typeof schema.$ref === 'string'
      ? (components.schemas[schema.$ref.split('/').at(-1) ?? ''] as JsonDocument)
      : schema;

  const toText = (schema: JsonDocument): fc.Arbitrary<string> => {
    const {
      pattern,
      format,
      minLength = 0,
      maxLength = 200,
    } = schema as {
      pattern?: string;
      format?: string;
      minLength?: number;
      maxLength?: number;
    };
    if (format === 'date-time') return datetime;
    if (format === 'uuid')
      return fc.oneof(
        uuid,
        uuid.map((id) => id.toUpperCase()),
      );
    const full = piece.map((text) => text.padEnd(minLength, 'x').slice(0, maxLength));
    const longest = fc.constant('x'.repeat(Math.min(maxLength, 5_000)));
    const any = fc.oneof({ weight: 9, arbitrary: full }, { weight: 1, arbitrary: longest });
    if (pattern === undefined) return any;
    const plain = fc.stringMatching(/^[a-z0-9]{1,12}$/).map((text) => text.slice(0, maxLength));
    return fc.oneof(any, plain).map((text) => (fits(schema, text) ? text : 'plain'.slice(0, maxLength)));
  };

  const toValue = (given: JsonDocument): fc.Arbitrary<unknown> => {
    const schema = resolve(given);
    const {
      type,
      properties = {},
      required = [],
      items,
      minimum = -1_000_000,
      maximum = 1_000_000,
    } = schema as {
      type?: string | string[];
      properties?: Record<string, JsonDocument>;
      required?: string[];
      items?: JsonDocument;
      minimum?: number;
      maximum?: number;
    };
    const words = schema.enum ?? schema['x-extensible-enum'];
    if (words !== undefined) return fc.constantFrom(...(words as unknown[]));
    if ('const' in schema) return fc.constant(schema.const);
    const choices = (schema.anyOf ?? schema.oneOf) as JsonDocument[] | undefined;
    if (choices !== undefined) return fc.oneof(...choices.map(toValue));
    const { minItems = 0, maxItems = 5 } = schema as { minItems?: number; maxItems?: number };
    if (Array.isArray(type)) {
      return fc.oneof(...type.map((each) => toValue({ ...schema, type: each })));
    }
    switch (type) {
      case 'null':
        return fc.constant(null);
      case 'boolean':
        return fc.boolean();
      case 'integer':
        return fc.integer({ min: minimum, max: maximum });
      case 'number':
        return fc.double({ min: minimum, max: maximum, noNaN: true });
      case 'string':
        return toText(schema);
      case 'array':
        return fc.array(toValue(items ?? {}), {
          minLength: minItems,
          maxLength: Math.max(minItems, Math.min(maxItems, 5)),
        });
      case 'object': {
        const model = Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, toValue(each)]));
        if (Object.keys(model).length > 0) return fc.record(model, { requiredKeys: required });
        return fc.dictionary(fc.stringMatching(/^[a-z][a-z_]{0,10}$/), fc.string({ maxLength: 10 }), { maxKeys: 4 });
      }
      default:
        return fc.jsonValue({ maxDepth: 2 });
    }
  };

  /** What the schema cannot say (one field that excludes another, for instance) is left to the service. */
  const toBody = ({ body }: Operation): fc.Arbitrary<unknown> => {
    if (body === undefined) return fc.constant(undefined);
    const examples = (body.examples ?? []) as unknown[];
    const made = toValue(body).filter((value) => fits(body, value));
    return examples.length === 0
      ? made
      : fc.oneof({ weight: 1, arbitrary: fc.constantFrom(...examples) }, { weight: 4, arbitrary: made });
  };

  const toParameter = (operation: Operation, parameter: Parameter): fc.Arbitrary<string | undefined> => {
    const { name, schema, required } = parameter;
    if (parameter.in === 'path') {
      const known = knownIds(operation, name);
      const given = toValue(schema).map(String);
      return known.length === 0
        ? given
        : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: given });
    }
    const value = HEADERS[name] ?? QUERIES[name] ?? toValue(schema).map(String);
    return required ? value : fc.option(value, { nil: undefined });
  };

  const toValid = (operation: Operation): fc.Arbitrary<MadeRequest> => {
    const parameters = Object.fromEntries(
      operation.parameters.map((parameter) => [`${parameter.in} ${parameter.name}`, toParameter(operation, parameter)]),
    );
    return fc
      .record({ parameters: fc.record(parameters), body: toBody(operation) })
      .map(({ parameters: given, body }) => {
        let path = operation.path;
        const query = new URLSearchParams();
        const headers: Record<string, string> = {};
        for (const [place, value] of Object.entries(given)) {
          const [where, name = ''] = place.split(/ (.*)/);
          if (value === undefined) continue;
          if (where === 'path') path = path.replace(`{${name}}`, encodeURIComponent(String(value)));
          if (where === 'query') query.set(name, String(value));
          if (where === 'header') headers[name] = String(value);
        }
        // One of the two: together they contradict each other.
        if (headers['if-match'] !== undefined) delete headers['if-none-match'];
        const url = query.size === 0 ? path : `${path}?${query}`;
        return {
          method: operation.method,
          path: url,
          options: { headers, ...(body === undefined ? {} : { body }) },
          wrong: undefined,
        };
      });
  };

  const toBroken = (operation: Operation): fc.Arbitrary<MadeRequest> => {
    const ways: fc.Arbitrary<(request: MadeRequest) => MadeRequest>[] = [
      fc.stringMatching(/^[a-z]{3,12}$/).map((name) => (request) => withQuery(request, `${name}_x`, '1')),
      ...operation.parameters.flatMap((parameter) => toBrokenParameter(operation, parameter)),
    ];
    const { body } = operation;
    if (body !== undefined) {
      ways.push(
        toBrokenText(),
        toBrokenBody(body, fits).map(({ value, wrong }) => (request) => ({
          ...request,
          options: { ...request.options, body: value(request.options.body) },
          wrong,
        })),
        toBrokenBody(body, fits).map(({ value, wrong }) => (request) => ({
          ...request,
          options: { ...request.options, body: value(request.options.body) },
          wrong,
        })),
      );
    }
    return fc
      .tuple(toValid(operation), fc.oneof(...ways))
      .map(([request, breakIt]) => breakIt(request))
      .filter(
        ({ wrong, options }) =>
          wrong !== undefined && (wrong !== 'body' || body === undefined || !fits(body, options.body)),
      );
  };

  return { toValid, toBroken };
}

/** What the schema leaves open, but a request that is to be understood does not. */
const HEADERS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  // Far from every version that there is: what is made at random changes nothing that others need.
  'if-match': fc.integer({ min: 1_000_000, max: 2_000_000_000 }).map((version) => `"${version}"`),
  'if-none-match': fc.constant('*'),
  'idempotency-key': fc.uuid(),
  'last-event-id': fc.stringMatching(/^[!-~]{1,40}$/),
};

const QUERIES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'page[after]': fc.stringMatching(/^[A-Za-z0-9_-]{1,60}$/),
  updated_datetime: fc
    .tuple(fc.option(datetime, { nil: '' }), fc.option(datetime, { nil: '' }))
    .map(([from, to]) => `${from},${to}`),
};

const withQuery = (request: MadeRequest, name: string, value: string): MadeRequest => {
  const [path = '', query] = request.path.split('?');
  const search = new URLSearchParams(query);
  search.set(name, value);
  return { ...request, path: `${path}?${search}`, wrong: `?${name}=${value.slice(0, 40)}` };
};

function toBrokenParameter(
  operation: Operation,
  { in: place, name, schema }: Parameter,
): fc.Arbitrary<(request: MadeRequest) => MadeRequest>[] {
  if (place === 'path') {
    const position = operation.path.split('/').indexOf(`{${name}}`);
    if (schema.format !== 'uuid') return [];
    return [
      fc
        .oneof(
          fc.stringMatching(/^[a-z0-9]{1,40}$/),
          uuid.map((id) => `${id}0`),
          uuid.map((id) => `urn:uuid:${id}`),
        )
        .map((id) => (request) => {
          const [path = '', query] = request.path.split('?');
          const parts = path.split('/');
          parts[position] = id;
          return {
            ...request,
            path: parts.join('/') + (query === undefined ? '' : `?${query}`),
            wrong: `path ${name}=${id}`,
          };
        }),
    ];
  }
  const {
    type,
    maxLength,
    enum: words,
    minimum,
    maximum,
    pattern,
  } = schema as {
    type?: string;
    maxLength?: number;
    enum?: unknown[];
    minimum?: number;
    maximum?: number;
    pattern?: string;
  };
  if (place === 'header') {
    const values = maxLength === undefined ? [] : ['x'.repeat(maxLength + 1)];
    if (name === 'if-match') values.push('3', '"3', 'x');
    if (pattern !== undefined) values.push('a b', '');
    return values.map((value) =>
      fc.constant((request) => ({
        ...request,
        options: { ...request.options, headers: { ...request.options.headers, [name]: value } },
        wrong: `header ${name}=${value.slice(0, 40)}`,
      })),
    );
  }
  const values = [
    ...(type === 'integer' || type === 'number' ? ['', 'x', '1x', `${(minimum ?? 0) - 1}`, '1e400'] : []),
    ...(type === 'integer' && maximum !== undefined ? [`${maximum + 1}`, '1.5'] : []),
    ...(words === undefined ? [] : ['', 'nonsense', '__proto__']),
    ...(type === 'boolean' ? ['2', 'yes', ''] : []),
    ...(maxLength === undefined ? [] : ['x'.repeat(Math.min(maxLength + 1, 6_000))]),
    ...(pattern === undefined ? [] : ['\u0000', 'a\u0000']),
  ];
  return values.map((value) => fc.constant((request) => withQuery(request, name, value)));
}

const toBrokenText = (): fc.Arbitrary<(request: MadeRequest) => MadeRequest> =>
  fc
    .constantFrom(
      (text: string) => text.slice(0, -1),
      (text: string) => `${text}x`,
      (text: string) => `[${text}`,
      (text: string) => text.replace('{', '{"__proto__":{},'),
      () => ' ',
      () => '{"a":1,"a":2}',
      () => 'nonsense',
      () => `${'['.repeat(50)}${']'.repeat(50)}`,
    )
    .map((change) => ({ options: { body, ...options }, ...request }) => ({
      ...request,
      options: { ...options, rawBody: change(JSON.stringify(body)) },
      wrong: 'text',
    }));

interface BrokenBody {
  readonly value: (body: unknown) => unknown;
  readonly wrong: string;
}

/** One thing is wrong somewhere in the body. Whether it really is against the schema is judged afterwards. */
function toBrokenBody(schema: JsonDocument, _fits: unknown): fc.Arbitrary<BrokenBody> {
  const names = Object.keys((schema.properties ?? {}) as JsonDocument);
  const wrongValue = fc.constantFrom<unknown>(
    null,
    0,
    -1,
    1.5,
    true,
    '',
    ' ',
    'a\u0000b',
    '\ud800',
    [],
    {},
    [[]],
    { $gt: '' },
    'x'.repeat(5_000),
    Number.MAX_SAFE_INTEGER,
    '2026-02-30',
    'true',
  );
  const name = names.length === 0 ? fc.constant('surprise') : fc.constantFrom(...names);
  return fc.oneof(
    fc
      .tuple(name, wrongValue)
      .map(([each, value]) => ({ value: (body: unknown) => ({ ...(body as object), [each]: value }), wrong: 'body' })),
    name.map((each) => ({
      value: (body: unknown) => Object.fromEntries(Object.entries(body as object).filter(([other]) => other !== each)),
      wrong: 'body',
    })),
    fc
      .stringMatching(/^[a-z]{2,10}$/)
      .map((each) => ({ value: (body: unknown) => ({ ...(body as object), [`${each}_x`]: 1 }), wrong: 'body' })),
    fc.constantFrom<unknown>(null, [], 'text', 7, true).map((value) => ({ value: () => value, wrong: 'body' })),
  );
}
