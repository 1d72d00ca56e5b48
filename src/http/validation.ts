import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { Fault, type FieldFault } from '../domain/fault.js';
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
export function useStrictValidation(app: FastifyInstance): void {
  const strict = addFormats.default(new Ajv2020({ ...STRICT, coerceTypes: false }));
  const coercing = addFormats.default(new Ajv2020({ ...STRICT, coerceTypes: true }));
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? strict : coercing).compile(schema as object),
  );
}

export interface ValidationError {
  readonly validation: readonly FastifySchemaValidationError[];
  readonly validationContext?: string;
}

export function toValidationFault(error: ValidationError): Fault {
  const errors = error.validation
    .slice(0, MAX_ERRORS)
    .map((fault) => toFieldFault(fault, error.validationContext ?? 'body'));
  const [first] = errors;
  return new Fault('invalid_request', first === undefined ? 'It does not fit.' : `${first.pointer}: ${first.detail}.`, {
    errors,
  });
}

const MAX_ERRORS = 20;

/** Ajv's words, with the offending name in the pointer and without the caller's values. */
function toFieldFault(
  { instancePath, keyword, params, message = 'does not fit' }: FastifySchemaValidationError,
  part: string,
): FieldFault {
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
