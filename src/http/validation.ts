import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { type FieldError, ServiceError } from '../domain/service-error.js';
import { toPatternDetail } from './primitives.js';

// Fastify's defaults drop unknown fields and convert types, which would hide mistakes of callers.
const STRICT = {
  allErrors: true,
  removeAdditional: false,
  useDefaults: false,
  strict: true,
  strictTypes: false,
} as const;

/** Bodies are validated without type coercion; parameters and headers are coerced, because they are always text. */
export function registerStrictValidation(app: FastifyInstance): void {
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body' ? compileStrict(schema) : wholeNumbersOnly(compileCoercing(schema)),
  );
}

const compileStrict = createCompiler({ ...STRICT, coerceTypes: false });
const compileCoercing = createCompiler({ ...STRICT, coerceTypes: true });

/** Compiles each distinct schema once: many operations share theirs. */
function createCompiler(options: Options): (schema: unknown) => ValidateFunction {
  const ajv = addFormats.default(new Ajv2020(options));
  const compiled = new Map<string, ValidateFunction>();
  return (schema) => {
    const text = JSON.stringify(schema);
    const validate = compiled.get(text) ?? withLengthsFirst(ajv.compile(JSON.parse(text)));
    compiled.set(text, validate);
    return validate;
  };
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
    message: `must NOT have more than ${limit} ${keyword === 'maxItems' ? 'items' : 'characters'}`,
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
  const errors = error.validation
    .slice(0, MAX_ERRORS)
    .map((each) => toFieldError(each, error.validationContext ?? 'body'));
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

/** Uses the message of Ajv, adds the name of the field to the pointer, and omits the value. */
function toFieldError(
  { instancePath, keyword, params, message = 'is invalid' }: FastifySchemaValidationError,
  part: string,
): FieldError {
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') {
    return {
      pointer: toPointer(instancePath, String(params.additionalProperty), part),
      detail: part === 'body' ? 'is not a known field' : 'is not a known parameter',
    };
  }
  if (keyword === 'required') {
    return { pointer: toPointer(instancePath, String(params.missingProperty), part), detail: 'is required' };
  }
  if (keyword === 'enum') {
    const allowed = (params.allowedValues as unknown[]).map(String).join(', ');
    return { pointer: toPointer(instancePath, undefined, part), detail: `must be one of: ${allowed}` };
  }
  const detail = keyword === 'pattern' ? toPatternDetail(String(params.pattern)) : message;
  return { pointer: toPointer(instancePath, undefined, part), detail };
}

function toPointer(instancePath: string, name: string | undefined, part: string): string {
  const pointer =
    name === undefined
      ? instancePath
      : `${instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 100)}`;
  if (part === 'body') return pointer === '' ? '/' : pointer;
  const plain = pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  return part === 'headers' ? `header:${plain}` : part === 'querystring' ? `?${plain}` : `path:${plain}`;
}
