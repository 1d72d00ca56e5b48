import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { MESSAGES } from '../../src/domain/message.js';
import { isRead } from '../../src/http/operation.js';
import type { TestResponse } from './service.js';

export type JsonDocument = Readonly<Record<string, unknown>>;

/** A parameter as the document describes it. */
export interface Parameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly required: boolean;
  readonly schema: JsonDocument;
}

/** An operation as the document describes it. */
export interface Operation {
  readonly id: string;
  readonly method: string;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: JsonDocument | undefined;
  /** The maximum size of a body in bytes. */
  readonly bodyLimit: number;
  readonly needsKey: boolean;
  /** All documented responses, such as `200` or `409 setup_incomplete`. */
  readonly outcomes: readonly string[];
}

/** Error codes of all operations, tested in `every-operation.test.ts`; `sync_in_progress` in `sync/waiting.test.ts`. */
export const SHARED_CODES: readonly string[] = [
  'invalid_request',
  'malformed_json',
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'not_found',
  'payload_too_large',
  'uri_too_long',
  'unsupported_media_type',
  'identity_unavailable',
  'idempotency_in_progress',
  'sync_in_progress',
  'idempotency_key_reused',
  'outcome_unknown',
  'storage_unavailable',
  'internal',
];

/** The test file of each operation. `every-operation.test.ts` fails for operations that are missing here. */
export const OWNERS = {
  'service.test.ts': ['getLivez', 'getReadyz', 'listStates', 'createApiKey', 'listApiKeys', 'deleteApiKey'],
  'callers.test.ts': ['rotateApiKey', 'getMe'],
  'tenants.test.ts': ['listTenants', 'putTenant', 'getTenant', 'deleteTenant'],
  'ubi.test.ts': ['getUbi', 'putUbi'],
  'setup.test.ts': ['getSetup'],
  'overview.test.ts': ['getOverview'],
  'creation-preference.test.ts': [
    'getCompanyCreationPreference',
    'putCompanyCreationPreference',
    'previewCompanyCreationPreference',
    'getCompanyCreationPreferenceAdvice',
  ],
  'credentials.test.ts': [
    'createCredential',
    'listCredentials',
    'getCredential',
    'updateCredential',
    'deleteCredential',
    'verifyCredential',
  ],
  'users.test.ts': ['getUser', 'putUser', 'deleteUser', 'listCredentialCoverage'],
  'configuration.test.ts': ['getConfiguration', 'putConfiguration'],
  'licenses.test.ts': [
    'listAvailableLicenses',
    'createLicense',
    'createLicenses',
    'listLicenses',
    'getLicense',
    'updateLicense',
    'archiveLicense',
  ],
  'changes.test.ts': ['listChanges'],
  'companies.test.ts': [
    'listCompanies',
    'getCompany',
    'createCompany',
    'updateCompany',
    'getCompanyExplanation',
    'getCompanyHistory',
  ],
  'conflicts.test.ts': ['listConflicts', 'resolveConflict'],
  'syncs.test.ts': ['startSync', 'listSyncs', 'getSync', 'cancelSync', 'listSyncEvents'],
  'event-tickets.test.ts': ['createEventTicket'],
  'schedules.test.ts': ['getSchedule', 'resumeSchedule'],
  'plans.test.ts': ['getSyncPlan', 'confirmSync', 'dismissSync'],
} as const satisfies Record<string, readonly string[]>;

/** A response that violates the document. */
export class ContractError extends Error {}

export interface Contract {
  readonly document: JsonDocument;
  readonly operations: readonly Operation[];
  getOperation(id: string): Operation;
  /**
   * Checks a response against the document and records it for the coverage.
   * @param expectsInternal whether a 500 is allowed
   * @throws ContractError for an undocumented status, code, header or body
   */
  check(method: string, path: string, answer: TestResponse, expectsInternal: boolean): void;
  /**
   * The changing operations that succeeded at least once, each with its tenants; undefined stands for requests without a
   * tenant.
   */
  listChanging(): readonly (readonly [id: string, tenants: ReadonlySet<string | undefined>])[];
  /** Documented responses of these operations that were not seen yet: `operation: outcome`. */
  listUnseen(ids: readonly string[], isWanted: (operation: Operation, outcome: string) => boolean): string[];
}

const METHODS = ['get', 'put', 'post', 'patch', 'delete'];
const PROBLEM = 'application/problem+json';
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** By the text of the document without its servers: most services of a process have the same document. */
const compilers = new Map<string, Compile>();

function findCompiler({ servers, ...document }: JsonDocument): Compile {
  const text = JSON.stringify(document);
  const compile = compilers.get(text) ?? createCompiler(JSON.parse(text));
  compilers.set(text, compile);
  return compile;
}

function createCompiler(document: JsonDocument): Compile {
  const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));
  ajv.addSchema({ ...(close(document) as JsonDocument), $id: 'document' });
  const validators = new Map<string, ValidateFunction>();
  return (pointer) => {
    const validate = validators.get(pointer) ?? ajv.compile({ $ref: `document#${pointer}` });
    validators.set(pointer, validate);
    return validate;
  };
}

export function createContract(document: JsonDocument): Contract {
  const compile = findCompiler(document);
  const operations = toOperations(document);
  const changing = new Map<string, Set<string | undefined>>();
  const seen = new Map<string, Set<string>>(operations.map(({ id }) => [id, new Set()]));

  const check = (method: string, url: string, answer: TestResponse, expectsInternal: boolean): void => {
    const { status, headers, body } = answer;
    const path = /^https?:/.test(url) ? new URL(url).pathname : url;
    if (method === 'HEAD') {
      checkHead(operations, path, answer);
      return;
    }
    const operation = findOperation(operations, method, path);
    const fail = (what: string): never => {
      throw new ContractError(
        `${method} ${path} (${operation?.id ?? 'no operation'}) → ${status}: ${what}\n${JSON.stringify(body)?.slice(0, 2_000)}`,
      );
    };
    if (status >= 500 && status !== 503 && !expectsInternal) fail('an unexpected 5xx');
    if (!REQUEST_ID.test(headers.get('x-request-id') ?? '')) fail('no x-request-id');
    const type = headers.get('content-type')?.split(';')[0];
    if (status >= 400) checkProblem(answer, type, compile, fail);
    if (status === 405 || method === 'OPTIONS') checkAllow(operations, path, answer, fail);
    if (operation === undefined) {
      // Outside of operations only errors are expected, and the documentation.
      if (status < 400 && method !== 'OPTIONS' && !/^\/(openapi|docs)/.test(path)) fail('an undocumented operation');
      return;
    }
    if (!(headers.get('cache-control') ?? '').includes('no-store')) fail('cacheable');
    const outcome = status >= 400 ? `${status} ${body.code}` : `${status}`;
    if (!operation.outcomes.includes(outcome)) fail(`undocumented response ${outcome}`);
    if (status < 400) checkSuccess(operation, answer, { document, type, compile, fail });
    seen.get(operation.id)?.add(outcome);
    if (!isRead(operation.id) && /^2\d\d$/.test(outcome)) {
      const tenant = /^\/v1\/tenants\/([^/]+)/.exec(path)?.[1];
      changing.set(operation.id, (changing.get(operation.id) ?? new Set()).add(tenant));
    }
  };

  return {
    document,
    operations,
    getOperation(id) {
      const found = operations.find((operation) => operation.id === id);
      if (found === undefined) throw new Error(`no operation ${id}`);
      return found;
    },
    check,
    listChanging: () => [...changing],
    listUnseen: (ids, isWanted) =>
      operations
        .filter(({ id }) => ids.includes(id))
        .flatMap((operation) =>
          operation.outcomes
            .filter((outcome) => isWanted(operation, outcome) && seen.get(operation.id)?.has(outcome) !== true)
            .map((outcome) => `${operation.id}: ${outcome}`),
        ),
  };
}

/** Responses that the test file of an operation must see: all but the shared ones. */
export const isOwnOutcome = (_operation: Operation, outcome: string): boolean => !isSharedOutcome(outcome);

/** Responses that all operations or all lists share. */
export const isSharedOutcome = (outcome: string): boolean =>
  outcome === '304' || SHARED_CODES.includes(outcome.split(' ')[1] ?? '');

/** A HEAD is a GET without its body. */
function checkHead(operations: readonly Operation[], path: string, { status, body }: TestResponse): void {
  const operation = findOperation(operations, 'GET', path);
  const isDocumented = operation?.outcomes.some((outcome) => outcome.startsWith(`${status}`)) ?? status === 404;
  if (!isDocumented || body !== undefined) throw new ContractError(`HEAD ${path} → ${status} ${body ?? ''}`);
}

/** `Allow` must list exactly the documented methods. */
function checkAllow(operations: readonly Operation[], path: string, { headers }: TestResponse, fail: Fail): void {
  const documented = METHODS.map((method) => method.toUpperCase()).filter((method) =>
    findOperation(operations, method, path),
  );
  const allowed = [...documented, ...(documented.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort().join(', ');
  if (documented.length > 0 && headers.get('allow') !== allowed) fail(`Allow is ${headers.get('allow')}`);
}

type Fail = (what: string) => never;
type Compile = (pointer: string) => ValidateFunction;

function checkProblem(
  { status, body, headers }: TestResponse,
  type: string | undefined,
  compile: Compile,
  fail: Fail,
): void {
  if (type !== PROBLEM) fail(`content-type ${type}`);
  const isProblem = compile('/components/schemas/Problem');
  if (!isProblem(body)) fail(`not a problem: ${toText(isProblem)}`);
  const problem = body as JsonDocument;
  if (problem.status !== status) fail('status differs from the HTTP status');
  if (problem.type !== `urn:biotrack-connect:problem:${problem.code}`) fail('type does not match code');
  if (problem.request_id !== headers.get('x-request-id')) fail('request_id differs from x-request-id');
  if (status === 401 && headers.get('www-authenticate') === null) fail('no www-authenticate');
  if ((status === 429 || status === 503) && !/^\d+$/.test(headers.get('retry-after') ?? '')) fail('no retry-after');
}

interface CheckContext {
  readonly document: JsonDocument;
  readonly type: string | undefined;
  readonly compile: Compile;
  readonly fail: Fail;
}

function checkSuccess(
  { id, method, path }: Operation,
  { status, body, headers }: TestResponse,
  { document, type, compile, fail }: CheckContext,
): void {
  const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status)];
  const reply = pointer.reduce<JsonDocument>((part, name) => part[name] as JsonDocument, document);
  const shared = (document.components as { readonly headers: Readonly<Record<string, JsonDocument>> }).headers;
  for (const [name, header] of Object.entries((reply.headers as Readonly<Record<string, JsonDocument>>) ?? {})) {
    const { required } = shared[name] ?? header;
    if (required === true && headers.get(name) === null) fail(`no header ${name}`);
  }
  if (reply.content === undefined) {
    if (body !== undefined) fail('an undocumented body');
    return;
  }
  const [documentedType = ''] = Object.keys(reply.content as JsonDocument);
  if (type !== documentedType) fail(`content-type ${type}`);
  // The schema of an event stream is text. The data of each event is a sync run.
  const events = documentedType === 'text/event-stream' ? [...String(body).matchAll(/^data: (.*)$/gm)] : undefined;
  const validate = compile(
    events === undefined ? toPointer([...pointer, 'content', documentedType, 'schema']) : '/components/schemas/SyncRun',
  );
  for (const part of events === undefined ? [body] : events.map(([, data]) => JSON.parse(data ?? '')))
    if (!validate(part)) fail(`does not match the schema of ${id}: ${toText(validate)}`);
    else checkMessages(part, fail);
}

/** Every message for users must have a documented code and documented params, and its text every value of them. */
function checkMessages(part: unknown, fail: Fail): void {
  if (typeof part !== 'object' || part === null) return;
  if (Object.keys(part).sort().join() === 'code,params,text') {
    const { code, params, text } = part as { code: string; params: Record<string, unknown>; text: string };
    const documented = (MESSAGES as Readonly<Record<string, readonly string[]>>)[code];
    if (documented === undefined) fail(`the message code ${code} is not documented`);
    for (const [name, value] of Object.entries(params)) {
      if (documented?.includes(name) !== true) fail(`the param ${name} of ${code} is not documented`);
      for (const scalar of [value].flat()) {
        if (!text.includes(String(scalar))) fail(`the text of ${code} does not contain the ${name} ${scalar}`);
      }
    }
  }
  for (const value of Object.values(part)) checkMessages(value, fail);
}

const toPointer = (names: readonly string[]): string =>
  names.map((name) => `/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');

const toText = ({ errors }: ValidateFunction): string =>
  (errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ');

/** Forbids undocumented properties. Callers must accept additional ones, but the service must not send them. */
function close(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(close);
  if (typeof part !== 'object' || part === null) return part;
  const entries = Object.entries(part).map(([name, value]) => [name, name === 'examples' ? value : close(value)]);
  const copy = Object.fromEntries(entries) as Record<string, unknown>;
  const isOpen = copy.type === 'object' && copy.properties !== undefined && copy.additionalProperties === undefined;
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}

function toOperations(document: JsonDocument): Operation[] {
  const isGuarded = (security: unknown): boolean => ((security ?? document.security) as unknown[]).length > 0;
  return Object.entries(document.paths as Record<string, JsonDocument>).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => {
      const operation = item[method] as JsonDocument;
      const content = (operation.requestBody as { content?: Record<string, { schema: JsonDocument }> } | undefined)
        ?.content;
      return {
        id: String(operation.operationId),
        method: method.toUpperCase(),
        path,
        parameters: ((operation.parameters ?? []) as Parameter[]).map((parameter) => ({
          ...parameter,
          required: parameter.required === true,
        })),
        body: dereference(document, content?.['application/json']?.schema) as JsonDocument | undefined,
        bodyLimit: Number(operation['x-body-limit-bytes'] ?? 64 * 1024),
        needsKey: isGuarded(operation.security),
        outcomes: Object.entries(operation.responses as Record<string, { description: string }>).flatMap(
          ([status, { description }]) =>
            Number(status) < 400
              ? [status]
              : [...description.matchAll(/`([a-z_]+)`: /g)].map(([, code]) => `${status} ${code}`),
        ),
      };
    }),
  );
}

/** A schema with named schemas in place of the references to them. No body refers to itself. */
function dereference(document: JsonDocument, schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map((part) => dereference(document, part));
  const { $ref } = schema as { readonly $ref?: unknown };
  const { schemas } = document.components as { readonly schemas: JsonDocument };
  if (typeof $ref === 'string') return dereference(document, schemas[$ref.split('/').at(-1) ?? '']);
  return Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, dereference(document, part)]));
}

/** Of several matching paths, such as `…/{id}` and `…/bulk`, the one with fewest parameters. */
function findOperation(operations: readonly Operation[], method: string, path: string): Operation | undefined {
  const parts = (path.split('?')[0] ?? '').split('/');
  const fitting = operations.filter((operation) => {
    const template = operation.path.split('/');
    return (
      template.length === parts.length &&
      template.every((name, index) => (name.startsWith('{') ? parts[index] !== '' : name === parts[index]))
    );
  });
  const countNames = (operation: Operation): number => operation.path.split('{').length;
  const fewest = Math.min(...fitting.map(countNames));
  return fitting.find((operation) => operation.method === method && countNames(operation) === fewest);
}
