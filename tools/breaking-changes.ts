// What a caller of the released API would trip over in the present one.
import { apiCompare } from 'api-smart-diff';

type Json = Readonly<Record<string, unknown>>;
type Say = (what: string) => void;

const METHODS = ['get', 'put', 'post', 'patch', 'delete'];
/** What may only grow, and what may only shrink, in a request that was good before. */
const UPPER_LIMITS = ['maxLength', 'maximum', 'exclusiveMaximum', 'maxItems', 'maxProperties'];
const LOWER_LIMITS = ['minLength', 'minimum', 'exclusiveMinimum', 'minItems', 'minProperties'];
const EXACT_LIMITS = ['pattern', 'format', 'multipleOf', 'const', 'uniqueItems'];

const REMARKS = ['example', 'examples', 'description', 'summary', 'tags'];

/**
 * Callers may send all that they could send before, and find in an answer all that they could find before. New
 * operations, optional fields, fields of an answer and words in an answer are no breach: callers are told to expect them.
 */
export function listBreakingChanges(before: Json, after: Json): string[] {
  const [old, now] = [resolve(before), resolve(after)];
  const found = new Set<string>(listOwn(old, now));
  // A second opinion, on what is asked for: of answers it knows too little (it misses a changed type, and minds new
  // words). A changed type it knows as a change only, and may be one to more types.
  for (const { type, path, action } of apiCompare(toRequests(old), toRequests(now)).diffs) {
    const isRemark = path.some((name) => REMARKS.includes(String(name)));
    if (type === 'breaking' && !isRemark && path.at(-1) !== 'type') found.add(`${path.join(' ')}: ${action}`);
  }
  return [...found];
}

/** The document without its answers. */
function toRequests({ openapi, info, paths }: Json): Json {
  const bare = Object.entries(paths as Record<string, Record<string, Json>>).map(([path, item]) => [
    path,
    Object.fromEntries(Object.entries(item).map(([method, each]) => [method, { ...each, responses: {} }])),
  ]);
  return { openapi, info, paths: Object.fromEntries(bare) };
}

function listOwn(old: Json, now: Json): string[] {
  const found: string[] = [];
  for (const [path, item] of Object.entries(old.paths as Record<string, Json>)) {
    for (const method of METHODS.filter((each) => item[each] !== undefined)) {
      const operation = item[method] as Json;
      const name = String(operation.operationId);
      const present = (now.paths as Record<string, Json>)[path]?.[method] as Json | undefined;
      const say: Say = (what) => found.push(`${name}: ${what}`);
      if (present === undefined) say('is gone');
      else judgeOperation(operation, present, { old, now }, say);
    }
  }
  return found;
}

function judgeOperation(old: Json, now: Json, documents: { old: Json; now: Json }, say: Say): void {
  if (old.operationId !== now.operationId) say(`is called ${now.operationId} now`);
  const isOpen = (operation: Json, document: Json): boolean =>
    ((operation.security ?? document.security ?? []) as unknown[]).length === 0;
  if (isOpen(old, documents.old) && !isOpen(now, documents.now)) say('needs a key now');
  judgeParameters(old, now, say);
  judgeBody(old, now, say);
  const replies = (operation: Json): [string, Json][] =>
    Object.entries(operation.responses as Record<string, Json>).filter(([status]) => Number(status) < 400);
  const present = new Map(replies(now));
  for (const [status, reply] of replies(old)) {
    const other = present.get(status);
    if (other === undefined) say(`never answers ${status} any more`);
    else judgeReply(reply, other, (what) => say(`${status}: ${what}`));
  }
  for (const [status] of present) {
    // 304 is for those alone who send If-None-Match, which they would not have sent before.
    if (status !== '304' && !replies(old).some(([each]) => each === status)) say(`answers ${status} now`);
  }
}

function judgeParameters(old: Json, now: Json, say: Say): void {
  const byName = (operation: Json): Map<string, Json> =>
    new Map(((operation.parameters ?? []) as Json[]).map((each) => [`${each.in} ${each.name}`, each]));
  const present = byName(now);
  for (const [name, parameter] of byName(old)) {
    const other = present.get(name);
    if (other === undefined) {
      // An unknown header is ignored, an unknown parameter refused.
      if (parameter.in !== 'header') say(`${name} is gone`);
      continue;
    }
    if (other.required === true && parameter.required !== true) say(`${name} is required now`);
    judgeRequest(parameter.schema as Json, other.schema as Json, name, say);
  }
  for (const [name, { required }] of present) {
    if (required === true && !byName(old).has(name)) say(`${name} is required now`);
  }
}

function judgeBody(old: Json, now: Json, say: Say): void {
  const bodyOf = (operation: Json): { required?: boolean; content?: Record<string, { schema: Json }> } | undefined =>
    operation.requestBody as { required?: boolean; content?: Record<string, { schema: Json }> } | undefined;
  const [body, present] = [bodyOf(old), bodyOf(now)];
  if (present?.required === true && body?.required !== true) say('a body is required now');
  for (const [type, { schema }] of Object.entries(body?.content ?? {})) {
    const other = present?.content?.[type]?.schema;
    if (other === undefined) say(`${type} is not taken any more`);
    else judgeRequest(schema, other, 'body', say);
  }
  const limit = (operation: Json): number => Number(operation['x-body-limit-bytes'] ?? 65_536);
  if (limit(now) < limit(old)) say('takes shorter bodies only');
}

/** Whatever was good before has to be good now. */
function judgeRequest(old: Json, now: Json, at: string, say: Say): void {
  const added = typesOf(old).filter((type) => !typesOf(now).includes(type));
  if (typesOf(now).length > 0 && (added.length > 0 || typesOf(old).length === 0))
    say(`${at} may not be ${added.join(', ') || 'anything'} any more`);
  if (Array.isArray(now.enum)) {
    const words = now.enum as unknown[];
    const missing = Array.isArray(old.enum)
      ? (old.enum as unknown[]).filter((word) => !words.includes(word))
      : ['anything'];
    if (missing.length > 0) say(`${at} may not be ${missing.join(', ')} any more`);
  }
  for (const limit of UPPER_LIMITS)
    if (Number(now[limit] ?? Infinity) < Number(old[limit] ?? Infinity)) say(`${at}: ${limit} is lower`);
  for (const limit of LOWER_LIMITS)
    if (Number(now[limit] ?? -Infinity) > Number(old[limit] ?? -Infinity)) say(`${at}: ${limit} is higher`);
  for (const limit of EXACT_LIMITS)
    if (now[limit] !== undefined && now[limit] !== old[limit]) say(`${at}: ${limit} is another one`);
  for (const name of required(now)) if (!required(old).includes(name)) say(`${at}/${name} is required now`);
  if (old.additionalProperties !== false && now.additionalProperties === false)
    say(`${at} takes no other fields any more`);
  for (const [name, property] of Object.entries(properties(old))) {
    const other = properties(now)[name];
    if (other === undefined) {
      if (now.additionalProperties === false) say(`${at}/${name} is gone`);
    } else judgeRequest(property, other, `${at}/${name}`, say);
  }
  if (isJson(old.items) && isJson(now.items)) judgeRequest(old.items, now.items, `${at}[]`, say);
  judgeChoices(old, now, at, say, judgeRequest);
}

/** Whatever could be relied on before can be relied on now. */
function judgeReply(old: Json, now: Json, say: Say): void {
  for (const name of Object.keys((old.headers ?? {}) as Json))
    if (((now.headers ?? {}) as Json)[name] === undefined) say(`the header ${name} is gone`);
  const content = (reply: Json): Record<string, { schema: Json }> =>
    (reply.content ?? {}) as Record<string, { schema: Json }>;
  for (const [type, { schema }] of Object.entries(content(old))) {
    const other = content(now)[type]?.schema;
    if (other === undefined) say(`${type} is gone`);
    else judgeShape(schema, other, '', say);
  }
}

function judgeShape(old: Json, now: Json, at: string, say: Say): void {
  const added = typesOf(now).filter((type) => !typesOf(old).includes(type));
  if (typesOf(old).length > 0 && (added.length > 0 || typesOf(now).length === 0))
    say(`${at || '/'} may be ${added.join(', ') || 'anything'} now`);
  if (Array.isArray(old.enum) && !Array.isArray(now.enum)) say(`${at || '/'} may be any word now`);
  if (old.format !== undefined && now.format !== old.format) say(`${at || '/'}: its format is another one`);
  for (const [name, property] of Object.entries(properties(old))) {
    const other = properties(now)[name];
    if (other === undefined) say(`${at}/${name} is gone`);
    else {
      if (required(old).includes(name) && !required(now).includes(name)) say(`${at}/${name} may be absent now`);
      judgeShape(property, other, `${at}/${name}`, say);
    }
  }
  if (isJson(old.items) && isJson(now.items)) judgeShape(old.items, now.items, `${at}[]`, say);
  judgeChoices(old, now, at, say, judgeShape);
}

/** Of alternatives only the words may change that may change elsewhere: whoever changes them otherwise has to look. */
function judgeChoices(old: Json, now: Json, at: string, say: Say, judge: typeof judgeShape): void {
  for (const name of ['anyOf', 'oneOf', 'allOf', 'not']) {
    if (toBones(old[name]) !== toBones(now[name])) say(`${at || '/'}: ${name} is another one`);
    else if (Array.isArray(old[name])) {
      for (const [index, choice] of (old[name] as Json[]).entries())
        judge(choice, (now[name] as Json[])[index] as Json, at, say);
    }
  }
}

/** A schema without what is said of it to readers, and without the words that it takes, which are judged by themselves. */
const toBones = (schema: unknown): string | undefined =>
  JSON.stringify(schema, (key, value) => {
    const isSaid = key === 'description' ? typeof value === 'string' : key === 'examples' && Array.isArray(value);
    return isSaid || (key === 'enum' && Array.isArray(value)) ? undefined : value;
  });

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const typesOf = ({ type }: Json): readonly unknown[] => (type === undefined ? [] : [type].flat());
const required = (schema: Json): readonly string[] => (schema.required ?? []) as string[];
const properties = (schema: Json): Record<string, Json> => (schema.properties ?? {}) as Record<string, Json>;

/** The document with every reference replaced by what it refers to. */
function resolve(document: Json): Json {
  const { schemas = {} } = (document.components ?? {}) as { schemas?: Json };
  const walk = (part: unknown, inside: readonly string[]): unknown => {
    if (Array.isArray(part)) return part.map((each) => walk(each, inside));
    if (!isJson(part)) return part;
    if (typeof part.$ref === 'string') {
      const name = part.$ref.split('/').at(-1) ?? '';
      return inside.includes(name) ? {} : walk(schemas[name], [...inside, name]);
    }
    return Object.fromEntries(Object.entries(part).map(([name, each]) => [name, walk(each, inside)]));
  };
  return walk(document, []) as Json;
}
