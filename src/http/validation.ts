import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { type FieldError, ServiceError } from '../domain/service-error.js';
import { toPatternDetail } from './primitives.js';

// Fastify's own defaults drop unknown fields and turn numbers into text, so that a mistake would be kept in silence.
const STRICT = {
  allErrors: true,
  removeAdditional: false,
  useDefaults: false,
  strict: true,
  strictTypes: false,
} as const;

/** Bodies are taken as they are; what comes as text in a URL may stand for a number. */
export function registerStrictValidation(app: FastifyInstance): void {
  const strict = addFormats.default(new Ajv2020({ ...STRICT, coerceTypes: false }));
  const coercing = addFormats.default(new Ajv2020({ ...STRICT, coerceTypes: true }));
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body' ? strict.compile(schema as object) : wholeNumbersOnly(coercing.compile(schema as object)),
  );
}

const WHOLE_NUMBER = /^-?\d{1,15}$/;

/** What JavaScript takes for a number is more than what is meant by one: 0x10, 1e3, and 1e400, which passes any limit. */
function wholeNumbersOnly(validate: ValidateFunction): typeof judge {
  const properties = Object.entries(
    (validate.schema as { properties?: Record<string, { type?: unknown }> }).properties ?? {},
  );
  const names = properties.flatMap(([name, { type }]) => (type === 'integer' ? [name] : []));
  function judge(given: Record<string, unknown>): boolean {
    const wrong = names.filter((name) => typeof given[name] === 'string' && !WHOLE_NUMBER.test(given[name]));
    if (wrong.length === 0) {
      const fits = validate(given) as boolean;
      judge.errors = validate.errors;
      return fits;
    }
    judge.errors = wrong.map((name) => ({
      instancePath: `/${name}`,
      schemaPath: '',
      keyword: 'type',
      params: {},
      message: 'must be a whole number',
    }));
    return false;
  }
  judge.errors = validate.errors;
  return judge;
}

export interface ValidationError {
  readonly validation: readonly FastifySchemaValidationError[];
  readonly validationContext?: string;
}

export function toValidationError(error: ValidationError): ServiceError {
  const errors = error.validation
    .slice(0, MAX_ERRORS)
    .map((fault) => toFieldFault(fault, error.validationContext ?? 'body'));
  const [first] = errors;
  return new ServiceError(
    'invalid_request',
    first === undefined ? 'It does not fit.' : `${first.pointer}: ${first.detail}.`,
    {
      errors,
    },
  );
}

const MAX_ERRORS = 20;

/** Ajv's words, with the offending name in the pointer and without the caller's values. */
function toFieldFault(
  { instancePath, keyword, params, message = 'does not fit' }: FastifySchemaValidationError,
  part: string,
): FieldError {
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') {
    return { pointer: toPointer(instancePath, String(params.additionalProperty), part), detail: 'is not known here' };
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
