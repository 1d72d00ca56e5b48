import { ERRORS, type ErrorCode } from '../domain/service-error.js';
import { toProblemType } from './problem.js';
import { PROBLEM_DESCRIPTIONS } from './problem-descriptions.js';

type Json = Readonly<Record<string, unknown>>;

/** Limits the nesting of examples of recursive schemas. */
const MAX_DEPTH = 24;

/**
 * Adds an example to every body of an OpenAPI document, built from the examples of its fields. Bodies that have an example
 * keep it.
 */
export function addExamples(document: Json): void {
  const schemas = ((document.components as Json | undefined)?.schemas ?? {}) as Readonly<Record<string, Json>>;
  for (const item of Object.values((document.paths ?? {}) as Json)) {
    for (const operation of Object.values(item as Record<string, Json>)) {
      const { requestBody, responses = {} } = operation as { requestBody?: Part; responses?: Record<string, Part> };
      for (const part of [requestBody, ...Object.values(responses)]) addExample(part, schemas);
    }
  }
}

interface Part {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { schema?: Json; example?: unknown; examples?: unknown }>>;
}

const FIRST_CODE = /`([a-z_]+)`: /;

function addExample(part: Part | undefined, schemas: Readonly<Record<string, Json>>): void {
  for (const content of Object.values(part?.content ?? {})) {
    if (content.schema === undefined || content.example !== undefined || content.examples !== undefined) continue;
    const example = toExample(content.schema, schemas, 0);
    // The first error code that `toErrorResponses` lists in the description.
    const code = FIRST_CODE.exec(part?.description ?? '')?.[1];
    content.example = code === undefined ? example : { ...(example as Json), ...toProblemFields(code as ErrorCode) };
  }
}

const toProblemFields = (code: ErrorCode): Json => ({
  type: toProblemType(code),
  code,
  title: ERRORS[code].title,
  status: ERRORS[code].status,
  detail: PROBLEM_DESCRIPTIONS[code],
});

function toExample(schema: Json, schemas: Readonly<Record<string, Json>>, depth: number): unknown {
  if (depth > MAX_DEPTH) return null;
  const toNested = (part: unknown): unknown => toExample(part as Json, schemas, depth + 1);
  const { $ref, examples, example, type, format, properties, required, items, anyOf, oneOf, minimum } = schema;
  if (typeof $ref === 'string') return toNested(schemas[$ref.slice($ref.lastIndexOf('/') + 1)] ?? {});
  if (Array.isArray(examples)) return examples[0];
  if (example !== undefined) return example;
  // Nullable fields are null: two non-null fields could contradict each other.
  if (Array.isArray(type) && type.includes('null')) return null;
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const [choice] = (anyOf ?? oneOf ?? []) as unknown[];
  if (choice !== undefined) return toNested(choice);
  switch (type) {
    case 'object': {
      const requiredNames = (required ?? []) as readonly string[];
      const shown = Object.entries((properties ?? {}) as Json).filter(([name]) => requiredNames.includes(name));
      return Object.fromEntries(shown.map(([name, property]) => [name, toNested(property)]));
    }
    case 'array':
      return items === undefined ? [] : [toNested(items)];
    case 'integer':
    case 'number':
      return minimum ?? 1;
    case 'boolean':
      return true;
    case 'string':
      return TEXTS[String(format)] ?? 'text';
    default:
      return null;
  }
}

const TEXTS: Readonly<Record<string, string>> = {
  'date-time': '2026-11-24T08:15:30.000Z',
  uri: 'http://127.0.0.1:3000/v1/tenants?page%5Bafter%5D=AAAA',
};
