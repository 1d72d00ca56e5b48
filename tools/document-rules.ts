// Rules of the OpenAPI document that keep it usable for client generators. Exits with 1 if one is broken.
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

type Json = Readonly<Record<string, unknown>>;
type Report = (what: string) => void;

interface Place {
  readonly at: string;
  /** Whether a client receives it. */
  readonly isReply: boolean;
}

/** Names that generators use for types of their own, in any of the languages that `npm run check:clients` covers. */
const RESERVED_NAMES = [
  'ApiClient',
  'ApiError',
  'ApiException',
  'ApiResponse',
  'Array',
  'Boolean',
  'Client',
  'Config',
  'Configuration',
  'Date',
  'Enum',
  'Error',
  'Exception',
  'File',
  'List',
  'Map',
  'Null',
  'Number',
  'Object',
  'Option',
  'Options',
  'Pair',
  'Record',
  'Request',
  'RequestOptions',
  'Response',
  'Set',
  'String',
  'Type',
  'Unset',
];
/** `NewX` and `NullableX` are functions and types that Go clients have for each schema `X`. */
const RESERVED_PREFIXES = ['New', 'Nullable', 'Api'];

/** @returns what is wrong with the document, one line each */
export function listRuleViolations(document: Json): string[] {
  const found: string[] = [];
  const report: Report = (what) => found.push(what);
  const { schemas = {} } = (document.components ?? {}) as { readonly schemas?: Readonly<Record<string, Json>> };
  checkNames(Object.keys(schemas), report);
  const replied = new Set<string>();
  for (const operation of listOperations(document)) checkOperation(operation, schemas, replied, report);
  for (const [name, schema] of Object.entries(schemas))
    checkSchema(schema, { at: name, isReply: replied.has(name) }, report, true);
  return found;
}

function checkNames(names: readonly string[], report: Report): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const twin = seen.get(name.toLowerCase());
    if (twin !== undefined) report(`${name} and ${twin} differ only in case`);
    seen.set(name.toLowerCase(), name);
    if (RESERVED_NAMES.includes(name)) report(`${name} is a name that generators use`);
    for (const prefix of RESERVED_PREFIXES) {
      const rest = name.slice(prefix.length);
      if (name.startsWith(prefix) && names.includes(rest))
        report(`${name} collides with what generators make of ${rest}`);
    }
  }
}

interface Operation extends Json {
  readonly name: string;
}

function listOperations({ paths = {} }: Json): Operation[] {
  return Object.entries(paths as Readonly<Record<string, Readonly<Record<string, Json>>>>).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      ...operation,
      name: String(operation.operationId ?? `${method} ${path}`),
    })),
  );
}

function checkOperation(
  { name, tags, operationId, parameters = [], requestBody, responses = {} }: Operation,
  schemas: Readonly<Record<string, Json>>,
  replied: Set<string>,
  report: Report,
): void {
  if (operationId === undefined) report(`${name} has no operationId`);
  if (!Array.isArray(tags) || tags.length !== 1) report(`${name} must have one tag`);
  for (const { name: parameter, in: where, schema } of parameters as readonly Json[]) {
    checkSchema(schema as Json, { at: `${name} ?${parameter}`, isReply: false }, report);
    const isId = where === 'path' && ['id', 'tenant_id'].includes(String(parameter));
    if (isId && (schema as Json).format !== 'uuid') report(`${name}: ${parameter} has no format uuid`);
  }
  checkContent(requestBody as Json | undefined, { at: `${name} request`, isReply: false }, report);
  for (const [status, response] of Object.entries(responses as Readonly<Record<string, Json>>)) {
    for (const schema of checkContent(response, { at: `${name} ${status}`, isReply: true }, report))
      collect(schema, schemas, replied);
  }
}

/** @returns the schemas of the bodies */
function checkContent(part: Json | undefined, place: Place, report: Report): Json[] {
  const contents = Object.entries((part?.content ?? {}) as Readonly<Record<string, { readonly schema: Json }>>);
  for (const [type, { schema }] of contents) {
    if (type === 'text/event-stream') {
      if (schema.type !== 'string') report(`${place.at}: an event stream must be a string`);
    } else if (typeof schema.$ref !== 'string') report(`${place.at}: the body must be a named schema`);
  }
  return contents.map(([, { schema }]) => schema);
}

/** Adds the names of all schemas that a schema refers to. */
function collect(part: unknown, schemas: Readonly<Record<string, Json>>, names: Set<string>): void {
  if (typeof part !== 'object' || part === null) return;
  const { $ref } = part as Json;
  if (typeof $ref === 'string') {
    const name = $ref.split('/').at(-1) ?? '';
    if (names.has(name)) return;
    names.add(name);
    collect(schemas[name], schemas, names);
  } else for (const nested of Object.values(part)) collect(nested, schemas, names);
}

function checkSchema(schema: Json, { at, isReply }: Place, report: Report, isNamed = false): void {
  const { type, properties, items, anyOf, format, enum: values } = schema;
  const types = [type].flat();
  if (properties !== undefined && !isNamed) report(`${at}: an object must be a named schema`);
  if (types.length === 1 && type === 'null') report(`${at} can only be null`);
  if ((types.includes('integer') || types.includes('number')) && format === undefined)
    report(`${at}: a number has no format`);
  if (isReply && values !== undefined) report(`${at}: an enum in a response must be open (KnownOf)`);
  const nested = (part: unknown, name: string): void =>
    checkSchema(part as Json, { at: `${at}${name}`, isReply }, report);
  for (const [name, property] of Object.entries((properties ?? {}) as Json)) nested(property, `/${name}`);
  if (items !== undefined) nested(items, '[]');
  for (const choice of (anyOf ?? []) as readonly Json[]) if (choice.type !== 'null') nested(choice, '');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const violations = listRuleViolations(
    JSON.parse(await readFile(new URL('../openapi/v1.json', import.meta.url), 'utf8')),
  );
  for (const each of violations) process.stdout.write(`${each}\n`);
  process.stdout.write(`${violations.length} violations\n`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
