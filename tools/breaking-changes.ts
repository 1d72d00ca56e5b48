// Finds changes of the OpenAPI document that break existing callers.
import { apiCompare } from 'api-smart-diff';

type Json = Readonly<Record<string, unknown>>;
type Report = (what: string) => void;

const METHODS = ['get', 'put', 'post', 'patch', 'delete'];
/** Upper limits of a request may only grow, lower limits only shrink, exact ones must not change. */
const UPPER_LIMITS = ['maxLength', 'maximum', 'exclusiveMaximum', 'maxItems', 'maxProperties'];
const LOWER_LIMITS = ['minLength', 'minimum', 'exclusiveMinimum', 'minItems', 'minProperties'];
const EXACT_LIMITS = ['pattern', 'format', 'multipleOf', 'const', 'uniqueItems'];

const ANNOTATIONS = ['example', 'examples', 'description', 'summary', 'tags'];

/**
 * Valid requests must stay valid, and responses must still contain all documented fields. New operations, optional request
 * fields, response fields and response enum values are allowed: the API documentation announces them as compatible.
 */
export function listBreakingChanges(before: Json, after: Json): string[] {
  const [old, now] = [resolve(before), resolve(after)];
  const found = new Set<string>(compareOperations(old, now));
  // api-smart-diff is only used for requests: for responses it misses changed types and reports new enum values. Its type
  // changes are ignored, because it also reports widened types.
  for (const { type, path, action } of apiCompare(toRequests(old), toRequests(now)).diffs) {
    const isAnnotation = path.some((name) => ANNOTATIONS.includes(String(name)));
    if (type === 'breaking' && !isAnnotation && path.at(-1) !== 'type') found.add(`${path.join(' ')}: ${action}`);
  }
  return [...found];
}

/** The document without its responses. */
function toRequests({ openapi, info, paths }: Json): Json {
  const stripped = Object.entries(paths as Record<string, Record<string, Json>>).map(([path, item]) => [
    path,
    Object.fromEntries(Object.entries(item).map(([method, each]) => [method, { ...each, responses: {} }])),
  ]);
  return { openapi, info, paths: Object.fromEntries(stripped) };
}

function compareOperations(old: Json, now: Json): string[] {
  const found: string[] = [];
  for (const [path, item] of Object.entries(old.paths as Record<string, Json>)) {
    for (const method of METHODS.filter((each) => item[each] !== undefined)) {
      const operation = item[method] as Json;
      const name = String(operation.operationId);
      const current = (now.paths as Record<string, Json>)[path]?.[method] as Json | undefined;
      const report: Report = (what) => found.push(`${name}: ${what}`);
      if (current === undefined) report('was removed');
      else compareOperation(operation, current, { old, now }, report);
    }
  }
  return found;
}

function compareOperation(old: Json, now: Json, documents: { old: Json; now: Json }, report: Report): void {
  if (old.operationId !== now.operationId) report(`was renamed to ${now.operationId}`);
  const isPublic = (operation: Json, document: Json): boolean =>
    ((operation.security ?? document.security ?? []) as unknown[]).length === 0;
  if (isPublic(old, documents.old) && !isPublic(now, documents.now)) report('now requires authentication');
  compareParameters(old, now, report);
  compareBody(old, now, report);
  const successes = (operation: Json): [string, Json][] =>
    Object.entries(operation.responses as Record<string, Json>).filter(([status]) => Number(status) < 400);
  const present = new Map(successes(now));
  for (const [status, reply] of successes(old)) {
    const other = present.get(status);
    if (other === undefined) report(`no longer returns ${status}`);
    else compareResponse(reply, other, (what) => report(`${status}: ${what}`));
  }
  for (const [status] of present) {
    // 304 is only returned to callers that send If-None-Match, which existing callers do not.
    if (status !== '304' && !successes(old).some(([each]) => each === status)) report(`now returns ${status}`);
  }
}

function compareParameters(old: Json, now: Json, report: Report): void {
  const byName = (operation: Json): Map<string, Json> =>
    new Map(((operation.parameters ?? []) as Json[]).map((each) => [`${each.in} ${each.name}`, each]));
  const present = byName(now);
  for (const [name, parameter] of byName(old)) {
    const other = present.get(name);
    if (other === undefined) {
      // Unknown headers are ignored, unknown parameters rejected.
      if (parameter.in !== 'header') report(`${name} was removed`);
      continue;
    }
    if (other.required === true && parameter.required !== true) report(`${name} is now required`);
    compareRequestSchema(parameter.schema as Json, other.schema as Json, name, report);
  }
  for (const [name, { required }] of present) {
    if (required === true && !byName(old).has(name)) report(`${name} is now required`);
  }
}

function compareBody(old: Json, now: Json, report: Report): void {
  const bodyOf = (operation: Json): { required?: boolean; content?: Record<string, { schema: Json }> } | undefined =>
    operation.requestBody as { required?: boolean; content?: Record<string, { schema: Json }> } | undefined;
  const [body, present] = [bodyOf(old), bodyOf(now)];
  if (present?.required === true && body?.required !== true) report('a body is now required');
  for (const [type, { schema }] of Object.entries(body?.content ?? {})) {
    const other = present?.content?.[type]?.schema;
    if (other === undefined) report(`${type} is no longer accepted`);
    else compareRequestSchema(schema, other, 'body', report);
  }
  const limit = (operation: Json): number => Number(operation['x-body-limit-bytes'] ?? 65_536);
  if (limit(now) < limit(old)) report('has a lower body limit');
}

/** Every value that was valid must stay valid. */
function compareRequestSchema(old: Json, now: Json, at: string, report: Report): void {
  const added = typesOf(old).filter((type) => !typesOf(now).includes(type));
  if (typesOf(now).length > 0 && (added.length > 0 || typesOf(old).length === 0))
    report(`${at} no longer accepts ${added.join(', ') || 'every type'}`);
  if (Array.isArray(now.enum)) {
    const values = now.enum as unknown[];
    const missing = Array.isArray(old.enum)
      ? (old.enum as unknown[]).filter((value) => !values.includes(value))
      : ['every value'];
    if (missing.length > 0) report(`${at} no longer accepts ${missing.join(', ')}`);
  }
  for (const limit of UPPER_LIMITS)
    if (Number(now[limit] ?? Infinity) < Number(old[limit] ?? Infinity)) report(`${at}: ${limit} was lowered`);
  for (const limit of LOWER_LIMITS)
    if (Number(now[limit] ?? -Infinity) > Number(old[limit] ?? -Infinity)) report(`${at}: ${limit} was raised`);
  for (const limit of EXACT_LIMITS)
    if (now[limit] !== undefined && now[limit] !== old[limit]) report(`${at}: ${limit} was changed`);
  for (const name of required(now)) if (!required(old).includes(name)) report(`${at}/${name} is now required`);
  if (old.additionalProperties !== false && now.additionalProperties === false)
    report(`${at} no longer accepts other fields`);
  for (const [name, property] of Object.entries(properties(old))) {
    const other = properties(now)[name];
    if (other === undefined) {
      if (now.additionalProperties === false) report(`${at}/${name} was removed`);
    } else compareRequestSchema(property, other, `${at}/${name}`, report);
  }
  if (isJson(old.items) && isJson(now.items)) compareRequestSchema(old.items, now.items, `${at}[]`, report);
  compareChoices(old, now, at, report, compareRequestSchema);
}

/** Callers must still find everything that was documented. */
function compareResponse(old: Json, now: Json, report: Report): void {
  for (const name of Object.keys((old.headers ?? {}) as Json))
    if (((now.headers ?? {}) as Json)[name] === undefined) report(`the header ${name} was removed`);
  const content = (reply: Json): Record<string, { schema: Json }> =>
    (reply.content ?? {}) as Record<string, { schema: Json }>;
  for (const [type, { schema }] of Object.entries(content(old))) {
    const other = content(now)[type]?.schema;
    if (other === undefined) report(`${type} was removed`);
    else compareResponseSchema(schema, other, '', report);
  }
}

function compareResponseSchema(old: Json, now: Json, at: string, report: Report): void {
  const added = typesOf(now).filter((type) => !typesOf(old).includes(type));
  if (typesOf(old).length > 0 && (added.length > 0 || typesOf(now).length === 0))
    report(`${at || '/'} can now be ${added.join(', ') || 'any type'}`);
  if (Array.isArray(old.enum) && !Array.isArray(now.enum)) report(`${at || '/'} can now be any string`);
  if (old.format !== undefined && now.format !== old.format) report(`${at || '/'}: the format was changed`);
  for (const [name, property] of Object.entries(properties(old))) {
    const other = properties(now)[name];
    if (other === undefined) report(`${at}/${name} was removed`);
    else {
      if (required(old).includes(name) && !required(now).includes(name)) report(`${at}/${name} can now be absent`);
      compareResponseSchema(property, other, `${at}/${name}`, report);
    }
  }
  if (isJson(old.items) && isJson(now.items)) compareResponseSchema(old.items, now.items, `${at}[]`, report);
  compareChoices(old, now, at, report, compareResponseSchema);
}

/** Reports every structural change of alternatives; a developer must review those. */
function compareChoices(old: Json, now: Json, at: string, report: Report, compare: typeof compareResponseSchema): void {
  for (const name of ['anyOf', 'oneOf', 'allOf', 'not']) {
    if (toStructure(old[name]) !== toStructure(now[name])) report(`${at || '/'}: ${name} was changed`);
    else if (Array.isArray(old[name])) {
      for (const [index, choice] of (old[name] as Json[]).entries())
        compare(choice, (now[name] as Json[])[index] as Json, at, report);
    }
  }
}

/** A schema without annotations and enum values; enum values are compared separately. */
const toStructure = (schema: unknown): string | undefined =>
  JSON.stringify(schema, (key, value) => {
    const isText = key === 'description' ? typeof value === 'string' : key === 'examples' && Array.isArray(value);
    return isText || (key === 'enum' && Array.isArray(value)) ? undefined : value;
  });

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const typesOf = ({ type }: Json): readonly unknown[] => (type === undefined ? [] : [type].flat());
const required = (schema: Json): readonly string[] => (schema.required ?? []) as string[];
const properties = (schema: Json): Record<string, Json> => (schema.properties ?? {}) as Record<string, Json>;

/** Replaces all references of the document by their targets; recursive references become `{}`. */
function resolve(document: Json): Json {
  const { schemas = {} } = (document.components ?? {}) as { schemas?: Json };
  const inline = (part: unknown, parents: readonly string[]): unknown => {
    if (Array.isArray(part)) return part.map((each) => inline(each, parents));
    if (!isJson(part)) return part;
    if (typeof part.$ref === 'string') {
      const name = part.$ref.split('/').at(-1) ?? '';
      return parents.includes(name) ? {} : inline(schemas[name], [...parents, name]);
    }
    return Object.fromEntries(Object.entries(part).map(([name, each]) => [name, inline(each, parents)]));
  };
  return inline(document, []) as Json;
}
