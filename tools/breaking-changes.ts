// Finds changes of the OpenAPI document that break existing callers, whether their client is generated or written by hand.
import { isDeepStrictEqual } from 'node:util';

type Json = Readonly<Record<string, unknown>>;

/** The two documents, and which way the compared schemas travel. */
interface Walk {
  readonly direction: 'request' | 'response';
  readonly before: Json;
  readonly after: Json;
  readonly report: (what: string) => void;
  /** The pairs of schemas that were compared; ends the walk in recursive schemas. */
  readonly seen: Map<Json, Set<Json>>;
}

/** A field, parameter, body, response or header. `content` has its schema by media type or other representation. */
interface Member {
  readonly required: boolean;
  readonly content: Readonly<Record<string, { readonly schema?: Json }>>;
}
type Members = Readonly<Record<string, Member>>;

/** One alternative of a schema, without references; `names` are the component schemas that it was found in. */
interface Choice {
  readonly names: readonly string[];
  readonly schema: Json;
}

const METHODS = ['get', 'put', 'post', 'patch', 'delete', 'head', 'options', 'trace'];
const DEFAULT_BODY_LIMIT = 65_536;
const ANYTHING: Json = {};

const UPPER_LIMITS = ['maxLength', 'maximum', 'exclusiveMaximum', 'maxItems', 'maxProperties'];
const LOWER_LIMITS = ['minLength', 'minimum', 'exclusiveMinimum', 'minItems', 'minProperties'];
const EXACT_LIMITS = ['pattern', 'format', 'multipleOf', 'uniqueItems'];
/** Keywords that have rules of their own. */
const STRUCTURE = ['type', 'enum', 'const', 'required', 'properties', 'additionalProperties', 'items', 'discriminator'];
/** Keywords that never break a caller. The walk compares the default of request fields. */
const ANNOTATIONS = ['title', 'description', 'example', 'examples', 'deprecated', 'externalDocs', 'default'];
const KNOWN = new Set([...UPPER_LIMITS, ...LOWER_LIMITS, ...EXACT_LIMITS, ...STRUCTURE, ...ANNOTATIONS]);

/**
 * Valid requests must stay valid and mean the same. Responses must keep what is documented, and must not contain values
 * that a caller cannot expect. Names that client generators use must stay. New operations, optional request fields, response
 * fields, error statuses and words in `x-extensible-enum` are compatible: the API documentation announces them.
 */
export function listBreakingChanges(before: Json, after: Json): string[] {
  const found = new Set<string>();
  const report = (what: string): void => void found.add(what);
  const request: Walk = { direction: 'request', before, after, report, seen: new Map() };
  const response: Walk = { ...request, direction: 'response', seen: new Map() };
  for (const name of Object.keys(componentsOf(before, 'schemas')))
    if (componentsOf(after, 'schemas')[name] === undefined) report(`the schema ${name} was removed`);
  compareSecuritySchemes(before, after, report);
  for (const [path, item] of Object.entries(before.paths as Record<string, Json>)) {
    const other = (after.paths as Record<string, Json>)[path] ?? {};
    for (const method of METHODS.filter((each) => item[each] !== undefined)) {
      if (other[method] === undefined) report(`${(item[method] as Json).operationId} was removed`);
      else compareOperations(toOperation(item, method, before), toOperation(other, method, after), request, response);
    }
  }
  return [...found];
}

function compareOperations(old: Json, now: Json, request: Walk, response: Walk): void {
  const { before, after, report } = request;
  const at = String(old.operationId);
  if (old.operationId !== now.operationId) report(`${at} was renamed to ${now.operationId}`);
  // Generators group operations in classes by their first tag, or by each of them.
  const [tags, others] = [old, now].map((each) => (each.tags ?? ['default']) as string[]) as [string[], string[]];
  if (tags.some((tag, index) => others[index] !== tag)) report(`${at}: the tags were changed`);
  compareServers(old, now, report);
  compareSecurity(old, now, at, report);
  const limit = (operation: Json): number => Number(operation['x-body-limit-bytes'] ?? DEFAULT_BODY_LIMIT);
  if (limit(now) < limit(old)) report(`${at} has a lower body limit`);
  compareMembers(toInputs(old, before), toInputs(now, after), at, request);
  compareMembers(toReplies(old, before), toReplies(now, after), at, response);
  for (const status of Object.keys(now.responses as Json)) {
    const isKnown = (old.responses as Json)[status] !== undefined;
    // 304 is only returned to callers that send If-None-Match, which existing callers do not.
    if (/^[123]/.test(status) && status !== '304' && !isKnown) report(`${at} now returns ${status}`);
  }
}

/** The host is part of the deployment, not of the API. */
function compareServers(old: Json, now: Json, report: Walk['report']): void {
  const toPaths = ({ servers }: Json): string[] =>
    (servers as { url: string; variables?: Record<string, { default: string }> }[]).map(({ url, variables = {} }) =>
      url
        .replaceAll(/\{([^}]+)\}/g, (_, name: string) => variables[name]?.default ?? '')
        .replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/]*/i, '')
        .replace(/\/+$/, ''),
    );
  const present = toPaths(now);
  for (const [index, path] of toPaths(old).entries()) {
    const other = present[index];
    if (other === undefined) report(`server ${index + 1} was removed`);
    else if (other !== path) report(`server ${index + 1}: the path "${path}" was changed to "${other}"`);
  }
}

/** A caller that met one of the old requirements must meet one of the present ones. */
function compareSecurity(old: Json, now: Json, at: string, report: Walk['report']): void {
  type Requirement = Record<string, string[]>;
  for (const requirement of old.security as Requirement[]) {
    const isMet = (other: Requirement): boolean =>
      Object.entries(other).every(([scheme, scopes]) => {
        const granted = requirement[scheme];
        return granted !== undefined && scopes.every((scope) => granted.includes(scope));
      });
    const name = Object.keys(requirement).join(' with ') || 'anonymous requests';
    if (!(now.security as Requirement[]).some(isMet)) report(`${at} no longer accepts ${name}, or requires more`);
  }
}

function compareSecuritySchemes(before: Json, after: Json, report: Walk['report']): void {
  const present = componentsOf(after, 'securitySchemes');
  for (const [name, scheme] of Object.entries(componentsOf(before, 'securitySchemes'))) {
    const other = present[name];
    if (other === undefined) report(`the security scheme ${name} was removed`);
    else {
      const facts = toFacts(other);
      for (const [fact, value] of toFacts(scheme))
        if (facts.get(fact) !== value) report(`the security scheme ${name}: ${fact} was changed`);
    }
  }
}

/** What a caller must know of a security scheme. New flows and scopes add facts and change none. */
function toFacts(scheme: Json): Map<string, unknown> {
  const facts = new Map(['type', 'scheme', 'in', 'name', 'openIdConnectUrl'].map((name) => [name, scheme[name]]));
  for (const [flow, { scopes, ...urls }] of Object.entries((scheme.flows ?? {}) as Record<string, Json>)) {
    facts.set(`flow ${flow}`, true);
    for (const [name, url] of Object.entries(urls)) facts.set(`${flow} ${name}`, url);
    for (const scope of Object.keys((scopes ?? {}) as Json)) facts.set(`${flow} scope ${scope}`, true);
  }
  return facts;
}

function compareMembers(old: Members, now: Members, at: string, walk: Walk): void {
  const isRequest = walk.direction === 'request';
  for (const [name, member] of Object.entries(old)) {
    const place = `${at}${name}`;
    const other = now[name];
    if (other === undefined) {
      walk.report(`${place} was removed`);
      continue;
    }
    const [wide, narrow] = orient(member, other, walk);
    if (wide.required && !narrow.required)
      walk.report(`${place} ${isRequest ? 'is now required' : 'can now be absent'}`);
    for (const [type, { schema = ANYTHING }] of Object.entries(member.content)) {
      const media = other.content[type];
      if (media === undefined) {
        walk.report(`${place} is no longer ${type || 'documented'}`);
        continue;
      }
      const present = media.schema ?? ANYTHING;
      // The default of a required field has no effect.
      const isDefaultUsed = isRequest && !member.required;
      if (isDefaultUsed && !isDeepStrictEqual(defaultOf(schema, walk.before), defaultOf(present, walk.after)))
        walk.report(`${place}: the default was changed`);
      compareSchemas(schema, present, place, walk);
    }
  }
  for (const [name, { required }] of Object.entries(now))
    if (isRequest && required && old[name] === undefined) walk.report(`${at}${name} is now required`);
}

/** All values of the narrow schema must be valid in the wide one: requests may only widen, responses only narrow. */
function orient<T>(old: T, now: T, { direction }: Walk): [wide: T, narrow: T] {
  return direction === 'request' ? [now, old] : [old, now];
}

function compareSchemas(old: Json, now: Json, at: string, walk: Walk): void {
  const seen = walk.seen.get(old) ?? new Set();
  if (seen.has(now)) return;
  walk.seen.set(old, seen.add(now));
  const [before, after] = [toChoices(old, walk.before), toChoices(now, walk.after)];
  const verb = walk.direction === 'request' ? 'no longer accepts' : 'can now be';
  const [wide, narrow] = orient(before, after, walk);
  if (narrow.some(isNullable) && !wide.some(isNullable)) walk.report(`${at} ${verb} null`);
  const { pairs, added } = pairChoices(before.filter(isNotNull), after.filter(isNotNull));
  for (const [choice, other] of pairs) {
    if (other === undefined) {
      walk.report(`${at}: an alternative was removed`);
      continue;
    }
    const lost = choice.names.filter((name) => !other.names.includes(name));
    if (lost.length > 0) walk.report(`${at} no longer has the schema ${lost.at(-1)}`);
    const name = choice.names.at(-1);
    compareChoices(choice.schema, other.schema, name === undefined ? at : `${walk.direction} ${name}`, walk);
  }
  if (added.length > 0 && walk.direction === 'response') walk.report(`${at}: an alternative was added`);
}

/** Pairs alternatives with the same name or content first, and the others by their order. */
function pairChoices(
  old: readonly Choice[],
  now: readonly Choice[],
): { pairs: Map<Choice, Choice | undefined>; added: readonly Choice[] } {
  const added = [...now];
  const isSame = (one: Choice, other: Choice): boolean =>
    one.names.length > 0 ? one.names.at(-1) === other.names.at(-1) : isDeepStrictEqual(one.schema, other.schema);
  const pairs = new Map<Choice, Choice | undefined>();
  for (const choice of old) {
    const index = added.findIndex((each) => isSame(choice, each));
    pairs.set(choice, index < 0 ? undefined : added.splice(index, 1)[0]);
  }
  for (const [choice, other] of pairs) if (other === undefined) pairs.set(choice, added.shift());
  return { pairs, added };
}

function compareChoices(old: Json, now: Json, at: string, walk: Walk): void {
  const { direction, report } = walk;
  const isRequest = direction === 'request';
  const verb = isRequest ? 'no longer accepts' : 'can now be';
  const [wide, narrow] = orient(old, now, walk);

  const types = typesOf(wide);
  const isCovered = (type: unknown): boolean =>
    types.includes(type) || (type === 'integer' && types.includes('number'));
  const added = typesOf(narrow).filter((type) => !isCovered(type));
  const isAny = typesOf(narrow).length === 0;
  if (types.length > 0 && (isAny || added.length > 0)) report(`${at} ${verb} ${added.join(', ') || 'any type'}`);

  const [allowed, possible] = [closedWordsOf(wide), closedWordsOf(narrow)];
  const extra = possible?.filter((word) => !allowed?.includes(word)) ?? ['any other value'];
  if (allowed !== undefined && extra.length > 0) report(`${at} ${verb} ${extra.join(', ')}`);
  const vanished = wordsOf(old).filter((word) => !wordsOf(now).includes(word));
  if (!isRequest && vanished.length > 0) report(`${at} is no longer documented to be ${vanished.join(', ')}`);

  for (const limit of UPPER_LIMITS)
    if (isRequest && Number(now[limit] ?? Infinity) < Number(old[limit] ?? Infinity))
      report(`${at}: ${limit} was lowered`);
  for (const limit of LOWER_LIMITS)
    if (Number(wide[limit] ?? -Infinity) > Number(narrow[limit] ?? -Infinity)) report(`${at}: ${limit} was changed`);
  for (const limit of EXACT_LIMITS)
    if ((wide[limit] ?? false) !== false && wide[limit] !== narrow[limit]) report(`${at}: ${limit} was changed`);

  compareMembers(toFields(old), toFields(now), at, walk);
  const [others, present] = [othersOf(old), othersOf(now)];
  if (others !== undefined && present !== undefined) compareSchemas(others, present, `${at}/*`, walk);
  // Responses can have undocumented fields; only documented ones must stay.
  else if (others !== undefined && (isRequest || old.additionalProperties !== undefined))
    report(`${at} no longer has other fields`);
  compareSchemas((old.items ?? ANYTHING) as Json, (now.items ?? ANYTHING) as Json, `${at}[]`, walk);

  const { propertyName, mapping = {} } = (old.discriminator ?? {}) as { propertyName?: string; mapping?: Json };
  const other = (now.discriminator ?? {}) as { propertyName?: string; mapping?: Json };
  const isMoved = Object.entries(mapping).some(([word, target]) => other.mapping?.[word] !== target);
  if (propertyName !== undefined && (isMoved || propertyName !== other.propertyName))
    report(`${at}: discriminator was changed`);

  for (const keyword of new Set([...Object.keys(old), ...Object.keys(now)])) {
    const isRuled = KNOWN.has(keyword) || keyword.startsWith('x-');
    // A developer must review these.
    if (!isRuled && toStructure(old[keyword]) !== toStructure(now[keyword])) report(`${at}: ${keyword} was changed`);
  }
}

const toStructure = (schema: unknown): string | undefined =>
  JSON.stringify(schema, (key, value) => (key === 'description' && typeof value === 'string' ? undefined : value));

/** Replaces references and `allOf`, and lists the alternatives of `anyOf` and `oneOf`. A recursive one has no values. */
function toChoices(schema: Json, document: Json, names: readonly string[] = []): Choice[] {
  const { $ref, ...siblings } = schema;
  if (typeof $ref === 'string') {
    if (names.includes(toName($ref))) return [];
    return toChoices(merge(findTarget($ref, document), siblings), document, [...names, toName($ref)]);
  }
  const { allOf = [], ...rest } = schema as Json & { allOf?: readonly Json[] };
  const [part, ...parts] = allOf;
  if (part !== undefined) {
    const { $ref: base, ...own } = part;
    const whole = merge(own, parts.length > 0 ? { ...rest, allOf: parts } : rest);
    if (typeof base !== 'string') return toChoices(whole, document, names);
    // The last name is the schema's own, so the name of a part goes before it.
    if (names.includes(toName(base))) return [];
    return toChoices(merge(findTarget(base, document), whole), document, [toName(base), ...names]);
  }
  const { anyOf, oneOf, ...common } = schema as Json & Record<'anyOf' | 'oneOf', readonly Json[] | undefined>;
  const choices = anyOf ?? oneOf;
  if (choices === undefined) return [{ names, schema }];
  return choices.flatMap((choice) => toChoices(merge(choice, common), document, names));
}

const toName = (reference: string): string => reference.split('/').at(-1) ?? '';

function merge(one: Json, other: Json): Json {
  const lists = ['required', 'allOf'].filter((name) => one[name] !== undefined && other[name] !== undefined);
  return {
    ...one,
    ...other,
    ...Object.fromEntries(lists.map((name) => [name, [one[name], other[name]].flat()])),
    ...(one.properties && other.properties ? { properties: { ...one.properties, ...other.properties } } : {}),
  };
}

const typesOf = ({ type }: Json): readonly unknown[] =>
  (type === undefined ? [] : [type].flat()).filter((each) => each !== 'null');
const isNotNull = ({ schema }: Choice): boolean => schema.type === undefined || typesOf(schema).length > 0;
const isNullable = ({ schema }: Choice): boolean =>
  (schema.type === undefined || [schema.type].flat().includes('null')) &&
  (schema.enum === undefined || (schema.enum as unknown[]).includes(null)) &&
  (schema.const ?? null) === null;

/** The only values, except null; undefined if there can be others. */
const closedWordsOf = ({ enum: words, const: word }: Json): unknown[] | undefined =>
  word === undefined ? (words as unknown[] | undefined)?.filter((each) => each !== null) : [word];
const wordsOf = (schema: Json): unknown[] =>
  closedWordsOf(schema) ?? ((schema['x-extensible-enum'] ?? []) as unknown[]);

/** The schema of the fields without a schema of their own; undefined if there are none. */
const othersOf = ({ additionalProperties = ANYTHING }: Json): Json | undefined =>
  additionalProperties === false
    ? undefined
    : additionalProperties === true
      ? ANYTHING
      : (additionalProperties as Json);

const defaultOf = (schema: Json, document: Json): unknown => toChoices(schema, document)[0]?.schema.default;

function toFields(schema: Json): Members {
  const properties = (schema.properties ?? {}) as Record<string, Json>;
  const required = (schema.required ?? []) as string[];
  const names = new Set([...Object.keys(properties), ...required]);
  const toField = (name: string): Member => ({
    required: required.includes(name),
    content: properties[name] === undefined ? {} : { '': { schema: properties[name] } },
  });
  return Object.fromEntries([...names].map((name) => [`/${name}`, toField(name)]));
}

/** An operation with what it inherits from its path and the document. */
function toOperation(item: Json, method: string, document: Json): Json {
  const operation = item[method] as Json;
  const orDefault = (list: unknown, standard: Json): unknown =>
    Array.isArray(list) && list.length > 0 ? list : [standard];
  return {
    ...operation,
    parameters: [item.parameters ?? [], operation.parameters ?? []].flat(),
    servers: orDefault(operation.servers ?? item.servers ?? document.servers, { url: '/' }),
    security: orDefault(operation.security ?? document.security, {}),
  };
}

function toInputs(operation: Json, document: Json): Members {
  const inputs = (operation.parameters as Json[]).map((each): [string, Member] => {
    const parameter = resolve(each, document);
    const name = parameter.in === 'header' ? String(parameter.name).toLowerCase() : parameter.name;
    return [` ${parameter.in} ${name}`, toMember(parameter)];
  });
  const { requestBody } = operation;
  if (requestBody !== undefined) inputs.push([' body', toMember(resolve(requestBody as Json, document))]);
  return Object.fromEntries(inputs);
}

function toReplies(operation: Json, document: Json): Members {
  const replies: [string, Member][] = [];
  for (const [status, each] of Object.entries(operation.responses as Record<string, Json>)) {
    const reply = resolve(each, document);
    replies.push([` ${status}`, toMember({ content: {}, ...reply })]);
    for (const [name, header] of Object.entries((reply.headers ?? {}) as Record<string, Json>))
      replies.push([` ${status} header ${name.toLowerCase()}`, toMember(resolve(header, document))]);
  }
  return Object.fromEntries(replies);
}

/** How a parameter or header is written counts as its media type. */
function toMember(part: Json): Member {
  const isForm = part.in === 'query' || part.in === 'cookie';
  const { style = isForm ? 'form' : 'simple', schema, allowReserved = false } = part;
  const { explode = style === 'form' } = part;
  const content = part.content ?? {
    [`style ${style}, explode ${explode}, allowReserved ${allowReserved}`]: { schema },
  };
  return { required: part.required === true, content: content as Member['content'] };
}

const componentsOf = (document: Json, kind: string): Record<string, Json> =>
  ((document.components ?? {}) as Record<string, Record<string, Json>>)[kind] ?? {};

/** The target of a reference, or the part itself. */
const resolve = (part: Json, document: Json): Json =>
  typeof part.$ref === 'string' ? resolve(findTarget(part.$ref, document), document) : part;

function findTarget(reference: string, document: Json): Json {
  const names = reference.split('/').slice(1);
  const find = (part: Json | undefined, name: string): Json | undefined =>
    part?.[name.replaceAll('~1', '/').replaceAll('~0', '~')] as Json | undefined;
  return names.reduce<Json | undefined>(find, document) ?? ANYTHING;
}
