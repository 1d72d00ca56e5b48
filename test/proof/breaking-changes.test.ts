import { readFile } from 'node:fs/promises';
import t from 'tap';
import { listBreakingChanges } from '../../tools/breaking-changes.js';

/** `listBreakingChanges` reports every change that breaks a caller, and no other. */

// biome-ignore lint/suspicious/noExplicitAny: the tests modify arbitrary parts of the document.
type Document = any;
type Changes = Readonly<Record<string, (document: Document) => void>>;

const text = await readFile(new URL('../../openapi/v1.json', import.meta.url), 'utf8');
const current = (): Document => JSON.parse(text);
const JSON_BODY = 'application/json';
const TENANT = '/v1/tenants/{tenant_id}';

/** The part without reference and without null as an alternative. */
function resolve(document: Document, part: Document): Document {
  if (part.$ref !== undefined) {
    const names: string[] = part.$ref.split('/').slice(1);
    return resolve(
      document,
      names.reduce((parent, name) => parent[name], document),
    );
  }
  const choice = part.anyOf?.find((each: Document) => each.type !== 'null');
  return choice === undefined ? part : resolve(document, choice);
}

const bodyOf = (document: Document, path: string, method: string): Document =>
  resolve(document, resolve(document, document.paths[path][method].requestBody).content[JSON_BODY].schema);
const schemaOf = (document: Document, name: string): Document => document.components.schemas[name];
const fieldOf = (document: Document, schema: Document, ...names: string[]): Document =>
  names.reduce((parent, name) => resolve(document, parent.properties[name]), schema);
const parameterOf = (document: Document, path: string, method: string, name: string): Document =>
  document.paths[path][method].parameters
    .map((each: Document) => resolve(document, each))
    .find((each: Document) => each.name === name);
const replyOf = (document: Document, path: string, method: string, status: string): Document =>
  resolve(document, document.paths[path][method].responses[status]);
const without = <T>(list: T[], item: T): T[] => list.filter((each) => each !== item);

function rename(names: Document, from: string, to: string): void {
  names[to] = names[from];
  delete names[from];
}

function renameSchema(document: Document, from: string, to: string): void {
  const references = JSON.stringify(document).replaceAll(`/schemas/${from}"`, `/schemas/${to}"`);
  Object.assign(document, JSON.parse(references));
  rename(document.components.schemas, from, to);
}

const BREAKING: Changes = {
  // Operations.
  'an operation is removed': (d) => delete d.paths[`${TENANT}/ubi`].get,
  'a path is removed': (d) => delete d.paths['/v1/states'],
  'an operation is renamed': (d) => (d.paths['/v1/states'].get.operationId = 'getStates'),
  'an operation has another tag': (d) => (d.paths['/v1/states'].get.tags = ['States']),
  'a body limit is lowered': (d) => (d.paths[`${TENANT}/configuration`].put['x-body-limit-bytes'] = 100_000),
  'a body limit is no longer raised': (d) => delete d.paths[`${TENANT}/configuration`].put['x-body-limit-bytes'],
  'the path of the server changes': (d) => (d.servers = [{ url: `${d.servers[0].url}/api` }]),

  // Security.
  'an operation requires authentication': (d) => delete d.paths['/livez'].get.security,
  'a security scheme is removed': (d) => delete d.components.securitySchemes.bearer,
  'a security scheme is renamed': (d) => {
    rename(d.components.securitySchemes, 'bearer', 'token');
    d.security = [{ token: [] }];
  },
  'a security scheme has another type': (d) => (d.components.securitySchemes.bearer.type = 'oauth2'),
  'a security scheme has another HTTP scheme': (d) => (d.components.securitySchemes.bearer.scheme = 'basic'),
  'another security scheme is required': (d) => {
    d.components.securitySchemes.key = { type: 'apiKey', in: 'header', name: 'x-key' };
    d.security = [{ key: [] }];
  },
  'a second security scheme is required': (d) => (d.security = [{ bearer: [], key: [] }]),

  // Parameters.
  'a query parameter is removed': (d) => (d.paths['/v1/tenants'].get.parameters = []),
  'a query parameter becomes a header': (d) => (parameterOf(d, `${TENANT}/companies`, 'get', 'origin').in = 'header'),
  'a header parameter is removed': (d) => {
    const operation = d.paths[`${TENANT}/syncs`].post;
    operation.parameters = without(
      operation.parameters,
      operation.parameters.find((each: Document) => resolve(d, each).name === 'idempotency-key'),
    );
  },
  'a parameter becomes required': (d) => (parameterOf(d, '/v1/tenants', 'get', 'page[size]').required = true),
  'a new parameter is required': (d) =>
    (d.paths['/v1/states'].get.parameters = [{ in: 'query', name: 'x', required: true, schema: { type: 'string' } }]),
  'a parameter has a lower limit': (d) => (parameterOf(d, '/v1/tenants', 'get', 'page[size]').schema.maximum = 100),
  'the type of a parameter changes': (d) => (parameterOf(d, '/v1/tenants', 'get', 'page[size]').schema.type = 'string'),
  'an enum value of a parameter is removed': (d) =>
    resolve(d, parameterOf(d, `${TENANT}/companies`, 'get', 'origin').schema).enum.pop(),
  'a parameter has a default': (d) => (parameterOf(d, '/v1/tenants', 'get', 'page[size]').schema.default = 10),

  // Request bodies.
  'a body becomes required': (d) => (resolve(d, d.paths['/v1/api-keys/{id}/rotate'].post.requestBody).required = true),
  'a body is no longer accepted': (d) => delete d.paths[`${TENANT}/syncs`].post.requestBody,
  'JSON bodies are no longer accepted': (d) =>
    rename(resolve(d, d.paths[`${TENANT}/ubi`].put.requestBody).content, JSON_BODY, 'application/xml'),
  'a request field becomes required': (d) => (bodyOf(d, `${TENANT}/syncs`, 'post').required = ['refresh']),
  'a new field is required': (d) => {
    const schema = bodyOf(d, TENANT, 'put');
    schema.properties.color = { type: 'string' };
    schema.required = [...schema.required, 'color'];
  },
  'a request field is removed': (d) => delete bodyOf(d, `${TENANT}/licenses`, 'post').properties.sync_enabled,
  'the type of a request field changes': (d) => (fieldOf(d, bodyOf(d, `${TENANT}/ubi`, 'put'), 'ubi').type = 'integer'),
  'maxLength is lowered': (d) => (fieldOf(d, bodyOf(d, TENANT, 'put'), 'name').maxLength = 10),
  'maxLength is added': (d) => (bodyOf(d, TENANT, 'put').maxProperties = 3),
  'minLength is raised': (d) => (fieldOf(d, bodyOf(d, TENANT, 'put'), 'name').minLength = 10),
  'minProperties is added': (d) => (bodyOf(d, `${TENANT}/syncs`, 'post').minProperties = 1),
  'maxItems is lowered': (d) => (fieldOf(d, bodyOf(d, `${TENANT}/licenses/bulk`, 'post'), 'licenses').maxItems = 100),
  'minItems is raised': (d) => (fieldOf(d, bodyOf(d, `${TENANT}/licenses/bulk`, 'post'), 'licenses').minItems = 2),
  'a pattern is changed': (d) => (fieldOf(d, bodyOf(d, `${TENANT}/ubi`, 'put'), 'ubi').pattern = '^[0-9]{9}$'),
  'a format is added to a request field': (d) => (fieldOf(d, bodyOf(d, `${TENANT}/ubi`, 'put'), 'ubi').format = 'uuid'),
  'an enum value of a request field is removed': (d) =>
    (fieldOf(d, bodyOf(d, TENANT, 'put'), 'environment').enum = ['production']),
  'a request field becomes an enum': (d) => (fieldOf(d, bodyOf(d, TENANT, 'put'), 'state').enum = ['WA']),
  'a request field no longer accepts null': (d) => {
    const body = bodyOf(d, `${TENANT}/companies/{id}`, 'patch');
    body.properties.name = { ...body.properties.name, type: 'string' };
  },
  'an object of a request no longer accepts null': (d) =>
    bodyOf(d, `${TENANT}/configuration`, 'put').properties.company_creation_preference.anyOf.pop(),
  'an object of a request no longer accepts other fields': (d) =>
    (fieldOf(d, bodyOf(d, `${TENANT}/companies/{id}`, 'patch'), 'custom_data').additionalProperties = false),
  'an object of a request only accepts strings': (d) =>
    (fieldOf(d, bodyOf(d, `${TENANT}/companies/{id}`, 'patch'), 'custom_data').additionalProperties = {
      type: 'string',
    }),
  'the items of a request field change': (d) =>
    (fieldOf(d, bodyOf(d, `${TENANT}/companies`, 'post'), 'license_numbers').items = { type: 'integer' }),
  'a nested request field is removed': (d) => {
    const { items } = fieldOf(d, bodyOf(d, `${TENANT}/licenses/bulk`, 'post'), 'licenses');
    delete resolve(d, items).properties.active;
  },
  'the default of a request field changes': (d) =>
    (fieldOf(d, bodyOf(d, '/v1/api-keys/{id}/rotate', 'post'), 'overlap_seconds').default = 60),
  'the default of a request field is removed': (d) =>
    delete fieldOf(d, bodyOf(d, '/v1/api-keys/{id}/rotate', 'post'), 'overlap_seconds').default,
  'a default is added to a request field': (d) =>
    (fieldOf(d, bodyOf(d, `${TENANT}/syncs`, 'post'), 'mode').default = 'preview'),

  // Names of schemas.
  'a schema is removed': (d) => delete d.components.schemas.StrategyAdvice,
  'a schema is renamed': (d) => renameSchema(d, 'Company', 'Business'),
  'a response has another schema with the same fields': (d) => {
    d.components.schemas.Organization = schemaOf(d, 'Company');
    replyOf(d, `${TENANT}/companies/{id}`, 'get', '200').content[JSON_BODY].schema = {
      $ref: '#/components/schemas/Organization',
    };
  },
  'a response has an unnamed schema': (d) => {
    replyOf(d, `${TENANT}/companies/{id}`, 'get', '200').content[JSON_BODY].schema = { ...schemaOf(d, 'Company') };
  },
  'a nullable field has another schema': (d) => {
    d.components.schemas.Counts = { ...schemaOf(d, 'SyncCounts') };
    schemaOf(d, 'SyncRun').properties.counts.anyOf[0].$ref = '#/components/schemas/Counts';
  },

  // Responses.
  'a response is removed': (d) => delete d.paths[`${TENANT}/ubi`].put.responses[201],
  'the status of a response changes': (d) => rename(d.paths[`${TENANT}/syncs`].post.responses, '202', '201'),
  'a new successful status': (d) => {
    const { responses } = d.paths[`${TENANT}/syncs`].post;
    responses[200] = responses[202];
  },
  'a redirect': (d) => (d.paths['/v1/states'].get.responses[301] = { description: 'Moved.' }),
  'a 304 response is removed': (d) => delete d.paths[`${TENANT}/syncs`].get.responses[304],
  'a response field is removed': (d) => delete schemaOf(d, 'Company').properties.ubi,
  'a response field becomes optional': (d) =>
    (schemaOf(d, 'Company').required = without(schemaOf(d, 'Company').required, 'name')),
  'the type of a response field changes': (d) => (fieldOf(d, schemaOf(d, 'Company'), 'archived').type = 'string'),
  'a response field becomes nullable': (d) => (fieldOf(d, schemaOf(d, 'Company'), 'name').type = ['string', 'null']),
  'an object of a response becomes nullable': (d) => {
    const { properties } = schemaOf(d, 'Verification');
    properties.credential = { anyOf: [properties.credential, { type: 'null' }] };
  },
  'the format of a response field is removed': (d) =>
    delete fieldOf(d, schemaOf(d, 'Tenant'), 'inserted_datetime').format,
  'the type of a nested response field changes': (d) =>
    (fieldOf(d, schemaOf(d, 'CompanyLicense'), 'active').type = 'integer'),
  'a response field can be negative': (d) => delete fieldOf(d, schemaOf(d, 'Schedule'), 'failures').minimum,
  'the items of a list change': (d) => (fieldOf(d, schemaOf(d, 'TenantPage'), 'data').items = { type: 'string' }),
  'the other fields of an object are removed': (d) =>
    (fieldOf(d, schemaOf(d, 'Company'), 'custom_data').additionalProperties = false),
  'an alternative is added to a response': (d) =>
    schemaOf(d, 'CredentialCoverage').properties.credential.anyOf.push({ type: 'string' }),
  'an alternative of a response is removed': (d) =>
    schemaOf(d, 'CredentialCoverage').properties.credential.anyOf.shift(),
  'a field of an alternative is removed': (d) =>
    delete fieldOf(d, schemaOf(d, 'CredentialCoverage'), 'credential').properties.owner,
  'a response is no longer JSON': (d) => rename(replyOf(d, TENANT, 'get', '200').content, JSON_BODY, 'text/plain'),
  'a stream of events is removed': (d) =>
    delete replyOf(d, `${TENANT}/syncs/{id}/events`, 'get', '200').content['text/event-stream'],
  'a response header is removed': (d) => delete replyOf(d, TENANT, 'get', '200').headers.ETag,
  'the type of a response header changes': (d) =>
    (replyOf(d, `${TENANT}/syncs`, 'post', '202').headers.Location.schema = { type: 'integer' }),

  // Errors.
  'a field of errors is removed': (d) => delete schemaOf(d, 'Problem').properties.request_id,
  'the type of a field of errors changes': (d) => (fieldOf(d, schemaOf(d, 'Problem'), 'status').type = 'string'),
  'a field of errors becomes optional': (d) =>
    (schemaOf(d, 'Problem').required = without(schemaOf(d, 'Problem').required, 'code')),
  'an error status is removed': (d) => delete d.paths[TENANT].get.responses[404],
  'a server error status is removed': (d) => delete d.paths[TENANT].get.responses[503],
  'an error has another media type': (d) =>
    rename(replyOf(d, TENANT, 'get', '404').content, 'application/problem+json', JSON_BODY),
  'a header of an error is removed': (d) => delete replyOf(d, TENANT, 'get', '503').headers['Retry-After'],
  'the type of a header of an error changes': (d) =>
    (replyOf(d, TENANT, 'get', '503').headers['Retry-After'].schema.type = 'string'),
};

const COMPATIBLE: Changes = {
  nothing: () => {},
  'a new operation': (d) => (d.paths['/v1/new'] = { get: { ...d.paths['/v1/states'].get, operationId: 'getNew' } }),
  'a new method': (d) => (d.paths['/v1/states'].post = { ...d.paths['/v1/states'].get, operationId: 'postStates' }),
  'another host and port': (d) => (d.servers = [{ url: 'https://api.example.com:8443/' }]),
  'a new server': (d) => d.servers.push({ url: 'https://sandbox.example.com/sandbox' }),
  'a new tag behind the others': (d) => d.paths['/v1/states'].get.tags.push('States'),
  'a higher body limit': (d) => (d.paths[`${TENANT}/syncs`].post['x-body-limit-bytes'] = 100_000),
  'an operation is deprecated': (d) => (d.paths['/v1/states'].get.deprecated = true),
  'an operation becomes public': (d) => (d.paths['/v1/states'].get.security = []),
  'a new security scheme is accepted': (d) => {
    d.components.securitySchemes.key = { type: 'apiKey', in: 'header', name: 'x-key' };
    d.security.push({ key: [] });
  },
  'a security scheme has another description': (d) => (d.components.securitySchemes.bearer.description = 'other'),
  'a new optional parameter': (d) =>
    d.paths['/v1/tenants'].get.parameters.push({ in: 'query', name: 'x', required: false, schema: { type: 'string' } }),
  'a new optional header': (d) =>
    d.paths['/v1/tenants'].get.parameters.push({ in: 'header', name: 'x', schema: { type: 'string' } }),
  'a parameter has a higher limit': (d) => (parameterOf(d, '/v1/tenants', 'get', 'page[size]').schema.maximum = 1000),
  'a parameter states the style that it has': (d) =>
    Object.assign(parameterOf(d, '/v1/tenants', 'get', 'page[size]'), { style: 'form', explode: true }),
  'a new optional request field': (d) => (bodyOf(d, TENANT, 'put').properties.color = { type: 'string' }),
  'a new request field with a default': (d) =>
    (bodyOf(d, TENANT, 'put').properties.color = { type: 'string', default: 'red' }),
  'a request field becomes optional': (d) => (bodyOf(d, TENANT, 'put').required = ['name']),
  'a request field becomes optional and has a default': (d) => {
    bodyOf(d, TENANT, 'put').required = ['name', 'state'];
    fieldOf(d, bodyOf(d, TENANT, 'put'), 'environment').default = 'production';
  },
  'a body becomes optional': (d) => (resolve(d, d.paths[`${TENANT}/syncs`].post.requestBody).required = false),
  'bodies of another media type are accepted': (d) => {
    const { content } = resolve(d, d.paths[`${TENANT}/syncs`].post.requestBody);
    content['application/cbor'] = content[JSON_BODY];
  },
  'maxLength is raised': (d) => (fieldOf(d, bodyOf(d, TENANT, 'put'), 'name').maxLength = 10_000),
  'minItems is lowered': (d) => (fieldOf(d, bodyOf(d, `${TENANT}/licenses/bulk`, 'post'), 'licenses').minItems = 0),
  'a pattern is removed': (d) => delete fieldOf(d, bodyOf(d, `${TENANT}/ubi`, 'put'), 'ubi').pattern,
  'a new enum value of a request field': (d) =>
    fieldOf(d, bodyOf(d, TENANT, 'put'), 'environment').enum.push('sandbox'),
  'a request field is no longer an enum': (d) => delete fieldOf(d, bodyOf(d, TENANT, 'put'), 'environment').enum,
  'a request field becomes nullable': (d) => (fieldOf(d, bodyOf(d, TENANT, 'put'), 'name').type = ['string', 'null']),
  'a request field becomes nullable with anyOf': (d) => {
    const { properties } = bodyOf(d, TENANT, 'put');
    properties.name = { anyOf: [properties.name, { type: 'null' }] };
  },
  'a request accepts other fields': (d) => delete bodyOf(d, TENANT, 'put').additionalProperties,
  'a new schema': (d) => (d.components.schemas.Unused = { type: 'string' }),
  'a field of a response gets a named schema': (d) => {
    const { properties } = schemaOf(d, 'Problem');
    d.components.schemas.Effect = properties.effect;
    properties.effect = { $ref: '#/components/schemas/Effect' };
  },
  'a new response field': (d) => {
    schemaOf(d, 'Company').properties.color = { type: 'string' };
    schemaOf(d, 'Company').required.push('color');
  },
  'a response field is no longer nullable': (d) =>
    (fieldOf(d, schemaOf(d, 'Schedule'), 'next_datetime').type = 'string'),
  'an object of a response is no longer nullable': (d) => {
    const { counts } = schemaOf(d, 'SyncRun').properties;
    counts.anyOf = counts.anyOf.filter((each: Document) => each.type !== 'null');
  },
  'an optional response field becomes required': (d) => schemaOf(d, 'Problem').required.push('errors'),
  'a response field can be longer': (d) => (fieldOf(d, schemaOf(d, 'Tenant'), 'updated_datetime').maxLength = 100),
  'a response field has a format': (d) => (fieldOf(d, schemaOf(d, 'State'), 'left_date').format = 'date'),
  'a response field is deprecated': (d) => (fieldOf(d, schemaOf(d, 'State'), 'left_date').deprecated = true),
  'a response field has a default': (d) => (fieldOf(d, schemaOf(d, 'State'), 'name').default = 'Washington'),
  'a response has no undocumented fields': (d) => (schemaOf(d, 'State').additionalProperties = false),
  'a new error': (d) => (d.paths['/v1/tenants'].get.responses[409] = d.paths['/v1/tenants'].get.responses[400]),
  'a response for all other errors': (d) =>
    (d.paths['/v1/tenants'].get.responses.default = d.paths['/v1/tenants'].get.responses[400]),
  'a new field of errors': (d) => (schemaOf(d, 'Problem').properties.help = { type: 'string' }),
  'a new 304 response': (d) => (d.paths['/livez'].get.responses[304] = { description: 'Nothing has changed.' }),
  'a new response header': (d) => (replyOf(d, TENANT, 'get', '404').headers['x-hint'] = { schema: { type: 'string' } }),
  'a response header is spelled in lower case': (d) => rename(replyOf(d, TENANT, 'get', '200').headers, 'ETag', 'etag'),
  'a new media type of a response': (d) =>
    (replyOf(d, TENANT, 'get', '200').content['text/plain'] = { schema: { type: 'string' } }),
  'changed descriptions': (d) => {
    d.info.description = 'other';
    d.paths['/v1/tenants'].get.summary = 'other';
    fieldOf(d, bodyOf(d, TENANT, 'put'), 'name').description = 'other';
    fieldOf(d, bodyOf(d, TENANT, 'put'), 'name').examples = ['other'];
  },
  'a changed description in an alternative': (d) =>
    (fieldOf(d, schemaOf(d, 'CredentialCoverage'), 'credential', 'reason').description = 'other'),
};

const METHODS = ['get', 'put', 'post', 'patch', 'delete', 'head', 'options', 'trace'];
const LIMITS: Readonly<Record<string, [strict: unknown, loose: unknown]>> = {
  maxLength: [8, 9],
  maximum: [8, 9],
  exclusiveMaximum: [8, 9],
  maxItems: [8, 9],
  maxProperties: [8, 9],
  minLength: [2, 1],
  minimum: [2, 1],
  exclusiveMinimum: [2, 1],
  minItems: [2, 1],
  minProperties: [2, 1],
  pattern: ['^a$', undefined],
  format: ['uuid', undefined],
  multipleOf: [2, undefined],
  uniqueItems: [true, false],
};
const LOWER_LIMITS = ['minLength', 'minimum', 'exclusiveMinimum', 'minItems', 'minProperties'];
const EXACT_LIMITS = ['pattern', 'format', 'multipleOf', 'uniqueItems'];
const ANNOTATIONS = 'title description example examples externalDocs deprecated default x-order'.split(' ');

const toChanges = <T>(
  list: readonly T[],
  toName: (each: T) => string,
  change: (d: Document, each: T) => void,
): Changes => Object.fromEntries(list.map((each) => [toName(each), (d: Document) => change(d, each)]));

/** A document with everything that the API's document does not have. */
const createSample = (): Document => ({
  openapi: '3.1.0',
  servers: [
    { url: 'https://{region}.example.com/{base}', variables: { region: { default: 'us' }, base: { default: 'api' } } },
    { url: '/sandbox/' },
  ],
  security: [{ key: [] }, { oauth: ['read', 'write'] }],
  paths: {
    '/methods': Object.fromEntries(
      METHODS.map((method) => [method, { operationId: method, responses: { 204: { description: 'Done.' } } }]),
    ),
    '/pets': {
      parameters: [{ in: 'query', name: 'color', schema: { type: 'string' } }],
      get: {
        operationId: 'listPets',
        tags: ['Pets', 'Lists'],
        parameters: [
          { in: 'query', name: 'ids', schema: { type: 'array', items: { type: 'integer' } } },
          { in: 'header', name: 'X-Limit', schema: { type: 'integer', default: 10 } },
          { $ref: '#/components/parameters/After' },
          { in: 'path', name: 'a~b', required: true, schema: { type: 'string' } },
          { in: 'cookie', name: 'session', schema: { type: 'string' } },
        ],
        responses: {
          200: {
            content: {
              [JSON_BODY]: { schema: { type: 'array', minItems: 1, items: { $ref: '#/components/schemas/Pet' } } },
            },
          },
          302: {
            headers: { location: { required: true, schema: { type: 'string', format: 'uri' } } },
            content: { 'text/html': { schema: { type: 'string' } } },
          },
          404: { $ref: '#/components/responses/NotFound' },
          default: {
            content: {
              [JSON_BODY]: {
                schema: {
                  type: 'object',
                  properties: { code: { type: 'string' }, pets: { items: { properties: {} } } },
                },
              },
            },
          },
        },
      },
      post: {
        operationId: 'createPet',
        servers: [{ url: 'https://uploads.example.com/api' }],
        security: [],
        requestBody: { $ref: '#/components/requestBodies/NewPet' },
        responses: { 201: { description: 'Created.' } },
      },
    },
  },
  components: {
    parameters: { After: { in: 'query', name: 'after', schema: { type: 'string', allOf: [{ minLength: 1 }] } } },
    responses: {
      NotFound: { content: { [JSON_BODY]: { schema: { type: 'object', properties: { id: { type: 'integer' } } } } } },
    },
    requestBodies: {
      NewPet: { content: { [JSON_BODY]: { schema: { $ref: '#/components/schemas/NewPet' } }, 'text/csv': {} } },
    },
    securitySchemes: {
      key: { type: 'apiKey', in: 'header', name: 'x-key' },
      oauth: {
        type: 'oauth2',
        flows: {
          clientCredentials: { tokenUrl: 'https://example.com/token', scopes: { read: 'Read.', write: 'Write.' } },
          password: { tokenUrl: 'https://example.com/token', scopes: {} },
        },
      },
      openid: { type: 'openIdConnect', openIdConnectUrl: 'https://example.com/openid' },
    },
    schemas: {
      Animal: { type: 'object', required: ['id'], properties: { id: { type: 'string', pattern: '^[a-z]+$' } } },
      Pet: {
        allOf: [
          { $ref: '#/components/schemas/Animal' },
          {
            type: 'object',
            required: ['status'],
            properties: {
              status: { type: 'string', enum: ['sold', 'free'] },
              size: { type: ['string', 'null'], enum: ['small', 'large', null] },
              color: { type: ['string', 'null'], 'x-extensible-enum': ['red', 'blue'] },
              kind: { const: 'pet' },
              rank: { enum: ['one', 2] },
              weight: { type: 'number' },
              age: { type: 'integer' },
              marks: { type: 'object', propertyNames: { maxLength: 8 }, additionalProperties: { type: 'integer' } },
              closed: { type: 'object', additionalProperties: false },
              cub: { $ref: '#/components/schemas/Cub' },
              tags: { type: 'array', uniqueItems: true, items: { type: 'string' } },
              children: { type: 'array', items: { $ref: '#/components/schemas/Pet' } },
              favorite: { $ref: '#/components/schemas/Favorite' },
              loop: {
                anyOf: [
                  { $ref: '#/components/schemas/Loop' },
                  { allOf: [{ $ref: '#/components/schemas/Animal' }, { title: 'One', required: ['one'] }] },
                  { $ref: '#/components/schemas/Cat' },
                  { $ref: '#/components/schemas/Dog' },
                ],
              },
              pair: {
                anyOf: [{ properties: { one: { type: 'integer' } } }, { properties: { two: { type: 'integer' } } }],
              },
              circle: { $ref: '#/components/schemas/Circle' },
              limited: Object.fromEntries(Object.entries(LIMITS).map(([limit, [strict]]) => [limit, strict])),
              friend: { type: 'object', properties: { pet: { $ref: '#/components/schemas/Pet' } } },
            },
          },
        ],
      },
      Favorite: {
        oneOf: [{ $ref: '#/components/schemas/Food' }, { $ref: '#/components/schemas/Toy' }],
        discriminator: {
          propertyName: 'kind',
          mapping: { food: '#/components/schemas/Food', snack: '#/components/schemas/Food' },
        },
      },
      Food: { type: 'object', properties: { kind: { type: 'string' }, name: { type: 'string' } } },
      Toy: { type: 'object', required: ['size'], properties: { kind: { type: 'string' }, size: { type: 'integer' } } },
      NewPet: {
        type: 'object',
        required: ['id'],
        properties: {
          id: { type: 'string' },
          count: { type: ['integer', 'null'], multipleOf: 1 },
          weight: { type: 'number' },
          kind: { const: 'pet' },
          names: { type: 'array', uniqueItems: false, items: { type: 'string' } },
          food: { $ref: '#/components/schemas/Food', default: { kind: 'food' } },
          owner: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
          photo: {
            type: 'string',
            not: { const: 'none', description: 'Leave it out.', properties: { description: { type: 'string' } } },
          },
          anything: {},
          loose: Object.fromEntries(Object.entries(LIMITS).map(([limit, [, loose]]) => [limit, loose])),
          strict: Object.fromEntries(Object.entries(LIMITS).map(([limit, [strict]]) => [limit, strict])),
          parent: { $ref: '#/components/schemas/NewPet' },
        },
      },
      Cat: { allOf: [{ $ref: '#/components/schemas/Animal' }, { properties: { lives: { type: 'integer' } } }] },
      Dog: { properties: { bites: { type: 'boolean' } }, allOf: [{ $ref: '#/components/schemas/Animal' }] },
      Base: { type: 'object', required: ['base'], properties: { base: { type: 'integer' } } },
      Lion: {
        allOf: [
          { $ref: '#/components/schemas/Base' },
          { required: ['mane'], properties: { mane: { type: 'integer' } } },
        ],
      },
      Cub: {
        allOf: [{ $ref: '#/components/schemas/Lion' }, { required: ['age'], properties: { age: { type: 'integer' } } }],
      },
      Circle: { allOf: [{ $ref: '#/components/schemas/Circle' }] },
      Spare: { type: 'string' },
      Loop: { $ref: '#/components/schemas/Pool' },
      Pool: { anyOf: [{ $ref: '#/components/schemas/Loop' }, { type: 'null' }] },
    },
  },
});

const petOf = (d: Document): Document => schemaOf(d, 'Pet').allOf[1].properties;
const newPetOf = (d: Document): Document => schemaOf(d, 'NewPet').properties;
const partOf = (d: Document, name: string): Document =>
  [schemaOf(d, 'Base'), schemaOf(d, 'Lion').allOf[1], schemaOf(d, 'Cub').allOf[1]].find(
    (each) => each.properties[name],
  );
const listPets = (d: Document): Document => d.paths['/pets'].get;

const BREAKING_SAMPLE: Changes = {
  // Operations.
  ...toChanges(
    METHODS,
    (method) => `${method} is removed`,
    (d, method) => delete d.paths['/methods'][method],
  ),
  'a tag is put before the others': (d) => listPets(d).tags.unshift('Animals'),
  'a tag is removed': (d) => listPets(d).tags.pop(),
  'the only tag is added': (d) => (d.paths['/pets'].post.tags = ['Pets']),
  'a server is removed': (d) => d.servers.pop(),
  'a variable of the server has another default': (d) => (d.servers[0].variables.base.default = 'v2'),
  'all servers are removed': (d) => delete d.servers,
  'the path of the server of an operation changes': (d) => (d.paths['/pets'].post.servers[0].url += '/v2'),
  'a path has another server': (d) => (d.paths['/pets'].servers = [{ url: '/v3' }, { url: '/sandbox' }]),

  // Security.
  'a security scheme is no longer accepted': (d) => d.security.shift(),
  'an operation no longer accepts a security scheme': (d) => (listPets(d).security = [{ key: [] }]),
  'an operation requires another scope': (d) =>
    (listPets(d).security = [{ key: [] }, { oauth: ['read', 'write', 'admin'] }]),
  'an API key is a query parameter': (d) => (d.components.securitySchemes.key.in = 'query'),
  'an API key has another header': (d) => (d.components.securitySchemes.key.name = 'x-api-key'),
  'an OAuth flow is removed': (d) => delete d.components.securitySchemes.oauth.flows.password,
  'an OAuth flow has another URL': (d) => (d.components.securitySchemes.oauth.flows.clientCredentials.tokenUrl += '2'),
  'an OAuth scope is removed': (d) => delete d.components.securitySchemes.oauth.flows.clientCredentials.scopes.read,
  'OpenID has another URL': (d) => (d.components.securitySchemes.openid.openIdConnectUrl += '2'),

  // Parameters.
  'a parameter of a path becomes required': (d) => (d.paths['/pets'].parameters[0].required = true),
  'a parameter of a path is removed': (d) => d.paths['/pets'].parameters.pop(),
  'a query parameter is spelled in upper case': (d) => (listPets(d).parameters[0].name = 'IDS'),
  'a parameter has another style': (d) => (listPets(d).parameters[0].style = 'spaceDelimited'),
  'a parameter is no longer exploded': (d) => (listPets(d).parameters[0].explode = false),
  'a parameter allows reserved characters': (d) => (listPets(d).parameters[0].allowReserved = true),
  'a path parameter has another style': (d) => (listPets(d).parameters[3].style = 'matrix'),
  'a parameter becomes JSON': (d) => {
    const [{ schema, ...rest }] = listPets(d).parameters;
    listPets(d).parameters[0] = { ...rest, content: { [JSON_BODY]: { schema } } };
  },
  'the items of a parameter change': (d) => (listPets(d).parameters[0].schema.items.type = 'boolean'),
  'the default of a parameter is removed': (d) => delete listPets(d).parameters[1].schema.default,
  'a shared parameter has a higher lower limit': (d) => (d.components.parameters.After.schema.allOf[0].minLength = 2),

  // Requests.
  ...toChanges(
    Object.keys(LIMITS),
    (limit) => `${limit} of a request field becomes stricter`,
    (d, limit) => (newPetOf(d).loose[limit] = LIMITS[limit]?.[0]),
  ),
  'a shared body becomes required': (d) => (d.components.requestBodies.NewPet.required = true),
  'a request field without a schema becomes required': (d) => schemaOf(d, 'NewPet').required.push('other'),
  'a request field is removed from an open object': (d) => delete newPetOf(d).count,
  'an open object of a request is closed': (d) => (schemaOf(d, 'NewPet').additionalProperties = false),
  'a number becomes an integer in a request': (d) => (newPetOf(d).weight.type = 'integer'),
  'an untyped request field has a type': (d) => (newPetOf(d).anything.type = 'string'),
  'an untyped request field no longer accepts null': (d) =>
    (newPetOf(d).anything = { not: { type: 'null' }, type: ['object', 'string', 'number', 'boolean', 'array'] }),
  'an untyped request field is an enum': (d) => (newPetOf(d).anything.enum = ['one', 2]),
  'a constant of a request changes': (d) => (newPetOf(d).kind.const = 'animal'),
  'multipleOf changes': (d) => (newPetOf(d).count.multipleOf = 2),
  'a request list must be unique': (d) => (newPetOf(d).names.uniqueItems = true),
  'the default of an object changes': (d) => (newPetOf(d).food.default.kind = 'other'),
  'an alternative of a request is removed': (d) => newPetOf(d).owner.anyOf.pop(),
  'not changes': (d) => (newPetOf(d).photo.not.const = 'no'),
  'a field named description changes in "not"': (d) =>
    (newPetOf(d).photo.not.properties.description = { type: 'integer' }),
  'a keyword without a rule is added': (d) => (newPetOf(d).photo.contentEncoding = 'base64'),
  'a recursive request has a new required field': (d) => (schemaOf(d, 'NewPet').required = ['id', 'weight']),
  'a recursive request has another schema': (d) => {
    newPetOf(d).parent = structuredClone(schemaOf(d, 'NewPet'));
  },

  // Names of schemas.
  'a schema without references is removed': (d) => delete d.components.schemas.Spare,

  // Responses.
  ...toChanges(
    [...LOWER_LIMITS, ...EXACT_LIMITS],
    (limit) => `${limit} of a response field becomes looser`,
    (d, limit) => (petOf(d).limited[limit] = LIMITS[limit]?.[1]),
  ),
  'a new word in a closed enum of a response': (d) => petOf(d).status.enum.push('lost'),
  'a new word in a nullable closed enum of a response': (d) => petOf(d).size.enum.push('medium'),
  'a closed enum of a response becomes open': (d) => {
    petOf(d).status = { type: 'string', 'x-extensible-enum': petOf(d).status.enum };
  },
  'a closed enum of a response becomes any string': (d) => delete petOf(d).status.enum,
  'a word is removed from a closed enum of a response': (d) => petOf(d).status.enum.pop(),
  'a word is removed from an open enum of a response': (d) => petOf(d).color['x-extensible-enum'].pop(),
  'the words of an open enum are removed': (d) => delete petOf(d).color['x-extensible-enum'],
  'an open enum of a response is closed without one of its words': (d) =>
    (petOf(d).color = { type: 'string', enum: ['red'] }),
  'a closed enum of a response can be null': (d) =>
    (petOf(d).status = { type: ['string', 'null'], enum: ['sold', 'free', null] }),
  'a constant of a response becomes an enum': (d) => (petOf(d).kind = { enum: ['pet', 'animal'] }),
  'an integer becomes a number in a response': (d) => (petOf(d).age.type = 'number'),
  'a number becomes a string in a response': (d) => (petOf(d).weight.type = 'string'),
  'a nullable response field can be anything': (d) => delete petOf(d).color.type,
  'a typed response field can be anything': (d) => delete petOf(d).age.type,
  'the other fields of an object have another type': (d) => (petOf(d).marks.additionalProperties.type = 'string'),
  'the other fields of an object can be anything': (d) => (petOf(d).marks.additionalProperties = true),
  'a list of a response can have duplicates': (d) => delete petOf(d).tags.uniqueItems,
  'a list of a response can be empty': (d) => delete listPets(d).responses[200].content[JSON_BODY].schema.minItems,
  'the pattern of a response field changes': (d) => (schemaOf(d, 'Animal').properties.id.pattern = '^.*$'),
  'a part of a schema is removed': (d) => schemaOf(d, 'Pet').allOf.shift(),
  'a part of a schema has no name': (d) => (schemaOf(d, 'Pet').allOf[0] = { ...schemaOf(d, 'Animal') }),
  ...toChanges(
    ['base', 'mane', 'age'],
    (name) => `${name} of a schema with parts changes`,
    (d, name) => (partOf(d, name).properties[name].type = 'string'),
  ),
  ...toChanges(
    ['base', 'mane', 'age'],
    (name) => `${name} of a schema with parts becomes optional`,
    (d, name) => delete partOf(d, name).required,
  ),
  'a keyword without a rule is removed': (d) => delete petOf(d).marks.propertyNames,
  'the items of a recursive schema change': (d) => (petOf(d).children.items = { type: 'string' }),
  'an object of a recursive schema has another schema': (d) =>
    (petOf(d).friend.properties.pet = { $ref: '#/components/schemas/Animal' }),
  'an alternative of oneOf is added': (d) => schemaOf(d, 'Favorite').oneOf.push({ type: 'object' }),
  'an alternative of oneOf is removed': (d) => schemaOf(d, 'Favorite').oneOf.shift(),
  'a field of the second alternative is removed': (d) => delete schemaOf(d, 'Toy').properties.size,
  'a discriminator is removed': (d) => delete schemaOf(d, 'Favorite').discriminator,
  'a discriminator has another field': (d) => (schemaOf(d, 'Favorite').discriminator.propertyName = 'type'),
  'a discriminator has another target': (d) =>
    (schemaOf(d, 'Favorite').discriminator.mapping.food = '#/components/schemas/Toy'),
  'a field of the default response is removed': (d) =>
    delete listPets(d).responses.default.content[JSON_BODY].schema.properties.code,
  'the default response is removed': (d) => delete listPets(d).responses.default,
  'a shared error has another type': (d) =>
    (d.components.responses.NotFound.content[JSON_BODY].schema.properties.id.type = 'string'),
  'a header of a redirect becomes optional': (d) => delete listPets(d).responses[302].headers.location.required,
  'the content of a redirect changes': (d) =>
    (listPets(d).responses[302].content['text/html'].schema.type = ['string', 'integer']),
  'the media type of a redirect changes': (d) => rename(listPets(d).responses[302].content, 'text/html', 'text/plain'),
  'a status of a range': (d) => (listPets(d).responses['2XX'] = { description: 'Other.' }),
};

const COMPATIBLE_SAMPLE: Changes = {
  nothing: () => {},
  ...toChanges(
    Object.keys(LIMITS),
    (limit) => `${limit} of a request field becomes looser`,
    (d, limit) => (newPetOf(d).strict[limit] = LIMITS[limit]?.[1]),
  ),
  ...toChanges(
    Object.keys(LIMITS),
    (limit) => `${limit} of a response field is added`,
    (d, limit) => (petOf(d).kind[limit] = LIMITS[limit]?.[0]),
  ),
  ...toChanges(
    Object.keys(LIMITS).filter((limit) => ![...LOWER_LIMITS, ...EXACT_LIMITS].includes(limit)),
    (limit) => `${limit} of a response field becomes looser`,
    (d, limit) => (petOf(d).limited[limit] = LIMITS[limit]?.[1]),
  ),
  ...toChanges(
    ANNOTATIONS,
    (keyword) => `${keyword} is added`,
    (d, keyword) => (petOf(d).age[keyword] = 'other'),
  ),
  'another region': (d) => (d.servers[0].variables.region.default = 'eu'),
  'a scope is no longer required': (d) => (d.security = [{ key: [] }, { oauth: ['read'] }]),
  'a new OAuth flow and scope': (d) => {
    const { flows } = d.components.securitySchemes.oauth;
    flows.implicit = { authorizationUrl: 'https://example.com', scopes: {} };
    flows.password.scopes.admin = 'Administer.';
    flows.clientCredentials.scopes.read = 'Other.';
  },
  'authentication becomes optional': (d) => d.security.push({}),
  'the description of "not" changes': (d) => (newPetOf(d).photo.not.description = 'Other.'),
  'a header parameter is spelled in lower case': (d) => (listPets(d).parameters[1].name = 'x-limit'),
  'parameters state the style that they have': (d) => {
    const [query, header, , path, cookie] = listPets(d).parameters;
    for (const each of [query, cookie]) Object.assign(each, { style: 'form', explode: true, allowReserved: false });
    for (const each of [header, path]) Object.assign(each, { style: 'simple', explode: false });
  },
  'a parameter moves from the path to its operations': (d) => {
    const { parameters, get, post } = d.paths['/pets'];
    get.parameters.unshift(...parameters);
    post.parameters = parameters;
    delete d.paths['/pets'].parameters;
  },
  'a parameter is shared': (d) => {
    d.components.parameters['a/b'] = listPets(d).parameters[0];
    listPets(d).parameters[0] = { $ref: '#/components/parameters/a~1b' };
  },
  'a new word in an open enum': (d) => petOf(d).color['x-extensible-enum'].push('green'),
  'an open enum is closed with all its words': (d) =>
    (petOf(d).color = { type: ['string', 'null'], enum: ['blue', 'red', null] }),
  'a response field becomes an open enum': (d) => (schemaOf(d, 'Toy').properties.kind['x-extensible-enum'] = ['ball']),
  'a closed enum is no longer nullable': (d) => (petOf(d).size = { type: 'string', enum: ['small', 'large'] }),
  'a nullable field is written as an alternative': (d) =>
    (petOf(d).size = { anyOf: [{ type: 'null' }, { enum: ['small', 'large'], type: 'string' }] }),
  'a number becomes an integer in a response': (d) => (petOf(d).weight.type = 'integer'),
  'an integer becomes a number in a request': (d) => (newPetOf(d).count.type = ['number', 'null']),
  'a constant of a request becomes an enum': (d) => (newPetOf(d).kind = { enum: ['pet', 'animal'] }),
  'an alternative of a request is added': (d) => newPetOf(d).owner.anyOf.push({ type: 'boolean' }),
  'an alternative is put before a typed request field': (d) =>
    (newPetOf(d).id = { anyOf: [{ type: 'integer' }, { type: 'string' }] }),
  'an object of a request becomes nullable': (d) =>
    (newPetOf(d).parent = { anyOf: [{ type: 'null' }, { $ref: '#/components/schemas/NewPet' }] }),
  'alternatives without a name get new fields': (d) => {
    for (const { properties } of petOf(d).pair.anyOf) properties.three = { type: 'integer' };
  },
  'alternatives are in another order, with new fields': (d) => {
    schemaOf(d, 'Favorite').oneOf.reverse();
    schemaOf(d, 'Toy').properties.price = { type: 'number' };
    schemaOf(d, 'Food').properties.price = { type: 'number' };
  },
  'alternatives are in another order': (d) => {
    petOf(d).loop.anyOf.reverse();
    schemaOf(d, 'Favorite').oneOf.reverse();
    newPetOf(d).owner.anyOf.reverse();
  },
  'a reference is the only part of allOf': (d) =>
    (petOf(d).favorite = { description: 'other', allOf: [{ $ref: '#/components/schemas/Favorite' }] }),
  'the parts of a schema are merged': (d) => {
    const [part, { required, properties }] = schemaOf(d, 'Pet').allOf;
    schemaOf(d, 'Pet').allOf = [part, { type: 'object', required }, { properties }];
  },
  'a response without content gets content': (d) =>
    (d.paths['/pets'].post.responses[201].content = { [JSON_BODY]: { schema: { type: 'object' } } }),
  'an unnamed body gets a name': (d) => {
    d.components.schemas.Failure = listPets(d).responses.default.content[JSON_BODY].schema;
    listPets(d).responses.default.content[JSON_BODY].schema = { $ref: '#/components/schemas/Failure' };
  },
  'an untyped response field has a type': (d) => (petOf(d).kind.type = 'string'),
  'the other fields of an object have a lower limit': (d) => (petOf(d).marks.additionalProperties.minimum = 0),
  'an undocumented field of a response has a type': (d) =>
    (schemaOf(d, 'Toy').additionalProperties = { type: 'string' }),
  'a list of a response has more items': (d) => (listPets(d).responses[200].content[JSON_BODY].schema.minItems = 2),
  'a list of a response has no duplicates': (d) =>
    Object.assign(petOf(d).children, { uniqueItems: true, maxItems: 10 }),
  'a discriminator is added': (d) => (newPetOf(d).owner.discriminator = { propertyName: 'kind' }),
  'a closed object of a response is opened': (d) => delete petOf(d).closed.additionalProperties,
  'a discriminator knows another target': (d) =>
    (schemaOf(d, 'Favorite').discriminator.mapping.toy = '#/components/schemas/Toy'),
  'the items of a list have a new field': (d) => {
    listPets(d).responses.default.content[JSON_BODY].schema.properties.pets.items.properties.age = { type: 'integer' };
  },
};

const VARIANTS = [
  { name: 'the API', create: current, breaking: BREAKING, compatible: COMPATIBLE },
  { name: 'the sample', create: createSample, breaking: BREAKING_SAMPLE, compatible: COMPATIBLE_SAMPLE },
];

for (const { name, create, breaking, compatible } of VARIANTS) {
  const before = create();
  const unchanged = JSON.stringify(before);

  t.test(`breaking changes of ${name} are reported`, async (t) => {
    for (const [what, change] of Object.entries(breaking)) {
      const document = create();
      change(document);
      t.ok(JSON.stringify(document) !== unchanged, `${what}: the document was modified`);
      const found = listBreakingChanges(before, document);
      t.ok(found.length > 0, `${what}: ${found[0]}`);
    }
    t.comment(`${Object.keys(breaking).length} breaking changes tested`);
  });

  t.test(`compatible changes of ${name} are not reported`, async (t) => {
    for (const [what, change] of Object.entries(compatible)) {
      const document = create();
      change(document);
      if (what !== 'nothing') t.ok(JSON.stringify(document) !== unchanged, `${what}: the document was modified`);
      t.strictSame(listBreakingChanges(before, document), [], what);
    }
    t.comment(`${Object.keys(compatible).length} compatible changes tested`);
  });
}

const REPORTS: Readonly<Record<string, (document: Document) => void>> = {
  'createPet was removed': (d) => delete d.paths['/pets'].post,
  'createPet body is no longer text/csv': (d) => delete d.components.requestBodies.NewPet.content['text/csv'],
  'listPets query ids is now required': (d) => (listPets(d).parameters[0].required = true),
  'listPets 302 header location can now be absent': (d) => delete listPets(d).responses[302].headers.location.required,
  'listPets default/code can now be integer': (d) =>
    (listPets(d).responses.default.content[JSON_BODY].schema.properties.code.type = 'integer'),
  'response Toy/size is no longer documented': (d) => delete schemaOf(d, 'Toy').properties.size,
  'response Toy/size can now be number': (d) => (schemaOf(d, 'Toy').properties.size.type = 'number'),
  'request NewPet/weight no longer accepts number': (d) => (newPetOf(d).weight.type = 'integer'),
  'request NewPet/count no longer accepts null': (d) => {
    newPetOf(d).count.type = 'integer';
  },
  'response Pet/kind can now be null': (d) => (petOf(d).kind = { enum: ['pet', null] }),
  'response Pet/rank can now be null': (d) => petOf(d).rank.enum.push(null),
  'response Pet/age can now be null': (d) => (petOf(d).age.type = ['integer', 'null']),
  'response Pet/color can now be any type': (d) => delete petOf(d).color.type,
  'createPet no longer accepts anonymous requests, or requires more': (d) => delete d.paths['/pets'].post.security,
  'the security scheme openid was removed': (d) => delete d.components.securitySchemes.openid,
  'response Pet/status can now be lost': (d) => petOf(d).status.enum.push('lost'),
  'response Pet/status can now be any other value': (d) =>
    (petOf(d).status = {
      type: 'string',
      'x-extensible-enum': ['sold', 'free'],
    }),
  'response Pet/favorite no longer has the schema Favorite': (d) => {
    d.components.schemas.Preference = schemaOf(d, 'Favorite');
    petOf(d).favorite.$ref = '#/components/schemas/Preference';
  },
  'response Pet/favorite no longer has the schema Toy': (d) =>
    (schemaOf(d, 'Favorite').oneOf[1] = { ...schemaOf(d, 'Toy') }),
  'listPets no longer accepts key, or requires more': (d) => (listPets(d).security = [{ oauth: ['read', 'write'] }]),
  'server 2 was removed': (d) => d.servers.pop(),
};

t.test('a report names the place and the change, once', async (t) => {
  for (const [report, change] of Object.entries(REPORTS)) {
    const document = createSample();
    change(document);
    t.strictSame(listBreakingChanges(createSample(), document), [report]);
  }
});

t.test('a change of a shared schema is reported once', async (t) => {
  const document = current();
  fieldOf(document, schemaOf(document, 'Problem'), 'detail').type = 'object';
  t.strictSame(listBreakingChanges(current(), document), ['response Problem/detail can now be object']);
});
