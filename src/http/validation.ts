import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import type { DataValidationCxt, FuncKeywordDefinition } from 'ajv/dist/types/index.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { type FieldError, ServiceError } from '../domain/service-error.js';
import { findNamedSchema, KNOWN_VALUES, toPatternDetail } from './primitives.js';

// Fastify's defaults drop unknown fields and convert types, which would hide mistakes of callers.
const STRICT = {
  allErrors: true,
  removeAdditional: false,
  useDefaults: false,
  strict: true,
  strictTypes: false,
} as const;

/** Without the prefix `urn:uuid:`, which the standard format accepts too. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const LOWERCASE: FuncKeywordDefinition = {
  keyword: 'lowercase',
  type: 'string',
  schema: false,
  modifying: true,
  errors: false,
  validate: (data: string, context?: DataValidationCxt) => {
    if (context !== undefined) context.parentData[context.parentDataProperty] = data.toLowerCase();
    return true;
  },
};

/** Bodies are validated without type coercion; parameters and headers are coerced, because they are always text. */
export function registerStrictValidation(app: FastifyInstance): void {
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body' ? compileBody(schema) : wholeNumbersOnly(compileText(schema)),
  );
}

const compileBody = createCompiler({ ...STRICT, coerceTypes: false }, { unknownFields: 'reject' });
const compileText = createCompiler({ ...STRICT, coerceTypes: true }, { unknownFields: 'as_declared' });

/** Compiles each distinct schema once: many operations share theirs. */
function createCompiler(options: Options, rules: InputRules): (schema: unknown) => ValidateFunction {
  const ajv = addFormats.default(new Ajv2020(options));
  ajv.addFormat('uuid', UUID);
  ajv.addKeyword(LOWERCASE);
  const compiled = new Map<string, ValidateFunction>();
  return (schema) => {
    const text = JSON.stringify(toInputSchema(schema, rules));
    const validate = compiled.get(text) ?? withLengthsFirst(ajv.compile(JSON.parse(text)));
    compiled.set(text, validate);
    return validate;
  };
}

interface InputRules {
  /** `reject`: also where a response has the same schema, and is open. */
  readonly unknownFields: 'reject' | 'as_declared';
}

/**
 * What a schema means for a request: named schemas in place of references to them, UUIDs converted to lower case, and only
 * known values of open enums.
 */
function toInputSchema(schema: unknown, rules: InputRules): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map((part) => toInputSchema(part, rules));
  const { $ref, $id, [KNOWN_VALUES]: values, ...own } = schema as Readonly<Record<string, unknown>>;
  if (typeof $ref === 'string') return toInputSchema(findNamedSchema($ref), rules);
  if (Array.isArray(values)) return { ...own, enum: Array.isArray(own.type) ? [...values, null] : values };
  const input = Object.fromEntries(Object.entries(own).map(([name, part]) => [name, toInputSchema(part, rules)]));
  if (own.format === 'uuid') return { ...input, lowercase: true };
  const isClosed = rules.unknownFields === 'reject' && own.type === 'object' && own.properties !== undefined;
  return isClosed ? { additionalProperties: false, ...input } : input;
}

/** Checks lengths before anything else: a validator would look at every item of a list that is too long. */
function withLengthsFirst(validate: ValidateFunction): ValidateFunction {
  const { schema } = validate;
  const check = (value: unknown): boolean => {
    const tooLong = findTooLong(schema as LengthSchema, value, '');
    const isValid = tooLong === undefined && (validate(value) as boolean);
    checked.errors = tooLong === undefined ? validate.errors : [tooLong];
    return isValid;
  };
  // Fastify and `wholeNumbersOnly` call it and read `schema` and `errors`, nothing else of a validator.
  const checked = Object.assign(check, { schema }) as unknown as ValidateFunction;
  return checked;
}

interface LengthSchema {
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, LengthSchema>>;
  readonly items?: LengthSchema;
}

function findTooLong(schema: LengthSchema, value: unknown, path: string): ErrorObject | undefined {
  const tooLong = (keyword: 'maxLength' | 'maxItems', limit: number): ErrorObject => ({
    instancePath: path,
    schemaPath: '',
    keyword,
    params: { limit },
  });
  if (typeof value === 'string') {
    // A character has up to two UTF-16 units; the validator counts characters.
    const { maxLength = Number.POSITIVE_INFINITY } = schema;
    return value.length > 2 * maxLength ? tooLong('maxLength', maxLength) : undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const { maxItems = Number.POSITIVE_INFINITY, items } = schema;
    if (value.length > maxItems) return tooLong('maxItems', maxItems);
    return items === undefined
      ? undefined
      : findFirst(value.entries(), ([index, item]) => findTooLong(items, item, `${path}/${index}`));
  }
  return findFirst(Object.entries(schema.properties ?? {}), ([name, property]) =>
    findTooLong(property, (value as Readonly<Record<string, unknown>>)[name], `${path}/${name}`),
  );
}

function findFirst<T, Found>(values: Iterable<T>, find: (value: T) => Found | undefined): Found | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

const WHOLE_NUMBER = /^-?\d{1,15}$/;

/** Rejects what JavaScript also parses as a number: 0x10, 1e3, and 1e400, which passes any limit. */
function wholeNumbersOnly(validate: ValidateFunction): typeof check {
  const properties = Object.entries(
    (validate.schema as { properties?: Record<string, { type?: unknown }> }).properties ?? {},
  );
  const names = properties.flatMap(([name, { type }]) => (type === 'integer' ? [name] : []));
  function check(given: Record<string, unknown>): boolean {
    const invalid = names.filter((name) => typeof given[name] === 'string' && !WHOLE_NUMBER.test(given[name]));
    if (invalid.length === 0) {
      const isValid = validate(given) as boolean;
      check.errors = validate.errors;
      return isValid;
    }
    check.errors = invalid.map((name) => ({
      instancePath: `/${name}`,
      schemaPath: '',
      keyword: 'type',
      params: {},
      message: 'must be a whole number',
    }));
    return false;
  }
  check.errors = validate.errors;
  return check;
}

export interface ValidationError {
  readonly validation: readonly FastifySchemaValidationError[];
  readonly validationContext?: string;
}

export function toValidationError(error: ValidationError): ServiceError {
  const part = error.validationContext ?? 'body';
  const byPointer = new Map<string, FieldError>();
  for (const each of error.validation) {
    const fieldError = toFieldError(each, part);
    // One message per field: the first rule that it breaks.
    if (fieldError !== undefined && !byPointer.has(fieldError.pointer)) byPointer.set(fieldError.pointer, fieldError);
    if (byPointer.size >= MAX_ERRORS) break;
  }
  const errors = [...byPointer.values()];
  const [first] = errors;
  return new ServiceError(
    'invalid_request',
    first === undefined ? 'The request does not match its schema.' : `${first.pointer} ${first.detail}.`,
    {
      errors,
    },
  );
}

const MAX_ERRORS = 20;

/** The message of Ajv or a plainer one, without the value. Undefined for an error that only sums up others. */
function toFieldError(
  { instancePath, keyword, params, message = 'is invalid' }: FastifySchemaValidationError,
  part: string,
): FieldError | undefined {
  switch (keyword) {
    case 'additionalProperties':
      return {
        pointer: toPointer(instancePath, String(params.additionalProperty), part),
        detail: part === 'body' ? 'is not a known field' : 'is not a known parameter',
      };
    case 'required':
      return { pointer: toPointer(instancePath, String(params.missingProperty), part), detail: 'is required' };
    case 'anyOf':
      // Of a nullable object; its own errors say more.
      return undefined;
    default:
      return { pointer: toPointer(instancePath, undefined, part), detail: toDetail(keyword, params, message) };
  }
}

function toDetail(keyword: string, params: Readonly<Record<string, unknown>>, message: string): string {
  const { limit } = params;
  switch (keyword) {
    case 'type':
      return message === 'must be a whole number' ? message : `must be ${toTypeName(params.type)}`;
    case 'enum':
      return `must be one of: ${(params.allowedValues as unknown[]).map(String).join(', ')}`;
    case 'pattern':
      return toPatternDetail(String(params.pattern));
    case 'format':
      return FORMATS[String(params.format)] ?? message;
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`;
    case 'maxLength':
      return `must have at most ${limit} characters`;
    case 'minItems':
      return `must have at least ${toCount(limit, 'item')}`;
    case 'maxItems':
      return `must have at most ${toCount(limit, 'item')}`;
    case 'minProperties':
      return `must have at least ${toCount(limit, 'field')}`;
    case 'maxProperties':
      return `must have at most ${toCount(limit, 'field')}`;
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    default:
      return message;
  }
}

const FORMATS: Readonly<Record<string, string>> = {
  uuid: 'must be a UUID',
  'date-time': 'must be an RFC 3339 datetime, such as 2026-11-24T08:15:30Z',
  int32: 'must be a whole number',
  int64: 'must be a whole number',
};

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
};

const toTypeName = (types: unknown): string =>
  (Array.isArray(types) ? types : String(types).split(','))
    .map((type) => TYPE_NAMES[String(type)] ?? type)
    .join(' or ');

const toCount = (count: unknown, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function toPointer(instancePath: string, name: string | undefined, part: string): string {
  const pointer =
    name === undefined
      ? instancePath
      : `${instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 100)}`;
  if (part === 'body') return pointer === '' ? '/' : pointer;
  const plain = pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  return part === 'headers' ? `header:${plain}` : part === 'querystring' ? `?${plain}` : `path:${plain}`;
}
