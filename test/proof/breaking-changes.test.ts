import { readFile } from 'node:fs/promises';
import t from 'tap';
import { listBreakingChanges } from '../../tools/breaking-changes.js';

/** `listBreakingChanges` reports every change that breaks a caller, and no other. */

// biome-ignore lint/suspicious/noExplicitAny: the tests modify arbitrary parts of the document.
type Document = any;

const text = await readFile(new URL('../../openapi/v1.json', import.meta.url), 'utf8');
const released = (): Document => JSON.parse(text);
const TENANT = '/v1/tenants/{tenant_id}';

const body = (document: Document, path: string, method: string): Document =>
  document.paths[path][method].requestBody.content['application/json'].schema;
const schemaOf = (document: Document, name: string): Document => document.components.schemas[name];
const parameter = (document: Document, path: string, method: string, name: string): Document =>
  document.paths[path][method].parameters.find((each: Document) => each.name === name);
const without = <T>(list: T[], item: T): T[] => list.filter((each) => each !== item);

const BREAKING: Readonly<Record<string, (document: Document) => void>> = {
  'an operation is removed': (d) => delete d.paths[`${TENANT}/ubi`].get,
  'a path is removed': (d) => delete d.paths['/v1/states'],
  'an operation is renamed': (d) => (d.paths['/v1/states'].get.operationId = 'getStates'),
  'an operation requires authentication': (d) => delete d.paths['/livez'].get.security,
  'a query parameter is removed': (d) => (d.paths['/v1/tenants'].get.parameters = []),
  'a parameter becomes required': (d) => (parameter(d, '/v1/tenants', 'get', 'page[size]').required = true),
  'a new parameter is required': (d) =>
    (d.paths['/v1/states'].get.parameters = [{ in: 'query', name: 'x', required: true, schema: { type: 'string' } }]),
  'a parameter has a lower limit': (d) => (parameter(d, '/v1/tenants', 'get', 'page[size]').schema.maximum = 100),
  'the type of a parameter changes': (d) => (parameter(d, '/v1/tenants', 'get', 'page[size]').schema.type = 'string'),
  'an enum value of a parameter is removed': (d) =>
    parameter(d, `${TENANT}/companies`, 'get', 'origin').schema.enum.pop(),
  'a request field becomes required': (d) => (body(d, `${TENANT}/syncs`, 'post').required = ['refresh']),
  'a new field is required': (d) => {
    const schema = body(d, TENANT, 'put');
    schema.properties.color = { type: 'string' };
    schema.required = [...schema.required, 'color'];
  },
  'a request field is removed': (d) => delete body(d, `${TENANT}/licenses`, 'post').properties.sync_enabled,
  'the type of a request field changes': (d) => (body(d, `${TENANT}/ubi`, 'put').properties.ubi.type = 'integer'),
  'maxLength is lowered': (d) => (body(d, TENANT, 'put').properties.name.maxLength = 10),
  'minLength is added': (d) => (body(d, TENANT, 'put').properties.name.minLength = 10),
  'a pattern is added': (d) => (body(d, `${TENANT}/ubi`, 'put').properties.ubi.pattern = '^[0-9]{9}$'),
  'an enum value of a request field is removed': (d) =>
    (body(d, TENANT, 'put').properties.environment.enum = ['production']),
  'JSON bodies are no longer accepted': (d) => {
    const { content } = d.paths[`${TENANT}/ubi`].put.requestBody;
    content['application/xml'] = content['application/json'];
    delete content['application/json'];
  },
  'a response is removed': (d) => delete d.paths[`${TENANT}/ubi`].put.responses[201],
  'the status of a response changes': (d) => {
    const { responses } = d.paths[`${TENANT}/syncs`].post;
    responses[201] = responses[202];
    delete responses[202];
  },
  'a response field is removed': (d) => delete schemaOf(d, 'Company').properties.ubi,
  'a response field becomes optional': (d) =>
    (schemaOf(d, 'Company').required = without(schemaOf(d, 'Company').required, 'name')),
  'the type of a response field changes': (d) => (schemaOf(d, 'Company').properties.archived.type = 'string'),
  'a response field becomes nullable': (d) => (schemaOf(d, 'Company').properties.name.type = ['string', 'null']),
  'a response field is no longer an enum': (d) => delete schemaOf(d, 'SyncRun').properties.status.enum,
  'the format of a response field is removed': (d) => delete schemaOf(d, 'Tenant').properties.inserted_datetime.format,
  'the type of a nested response field changes': (d) =>
    (schemaOf(d, 'CompanyLicense').properties.active.type = 'integer'),
  'the items of a list change': (d) => (schemaOf(d, 'TenantPage').properties.data.items = { type: 'string' }),
  'a response header is removed': (d) => delete d.paths[TENANT].get.responses[200].headers.etag,
  'an alternative is removed': (d) => schemaOf(d, 'CredentialCoverage').properties.credential.anyOf.pop(),
  'a field of an alternative is removed': (d) =>
    delete schemaOf(d, 'CredentialCoverage').properties.credential.anyOf[0].properties.owner,
  'a response is no longer JSON': (d) => {
    const { content } = d.paths[TENANT].get.responses[200];
    content['text/plain'] = content['application/json'];
    delete content['application/json'];
  },
};

const COMPATIBLE: Readonly<Record<string, (document: Document) => void>> = {
  nothing: () => {},
  'a new operation': (d) => (d.paths['/v1/new'] = { get: { ...d.paths['/v1/states'].get, operationId: 'getNew' } }),
  'a new optional parameter': (d) =>
    d.paths['/v1/tenants'].get.parameters.push({ in: 'query', name: 'x', required: false, schema: { type: 'string' } }),
  'a new optional header': (d) =>
    d.paths['/v1/tenants'].get.parameters.push({
      in: 'header',
      name: 'x',
      required: false,
      schema: { type: 'string' },
    }),
  'a new optional request field': (d) => (body(d, TENANT, 'put').properties.color = { type: 'string' }),
  'a request field becomes optional': (d) => (body(d, TENANT, 'put').required = ['name']),
  'maxLength is raised': (d) => (body(d, TENANT, 'put').properties.name.maxLength = 10_000),
  'a new enum value of a request field': (d) => body(d, TENANT, 'put').properties.environment.enum.push('sandbox'),
  'a request field becomes nullable': (d) => (body(d, TENANT, 'put').properties.name.type = ['string', 'null']),
  'a new response field': (d) => {
    schemaOf(d, 'Company').properties.color = { type: 'string' };
    schemaOf(d, 'Company').required.push('color');
  },
  'a new enum value in a response': (d) => schemaOf(d, 'Problem').properties.code.enum.push('new_code'),
  'a new error': (d) => (d.paths['/v1/tenants'].get.responses[409] = d.paths['/v1/tenants'].get.responses[400]),
  'changed descriptions': (d) => {
    d.info.description = 'other';
    d.paths['/v1/tenants'].get.summary = 'other';
    body(d, TENANT, 'put').properties.name.description = 'other';
    body(d, TENANT, 'put').properties.name.examples = ['other'];
  },
  'a changed description and a new enum value in an alternative': (d) => {
    const [choice] = schemaOf(d, 'CredentialCoverage').properties.credential.anyOf;
    choice.properties.reason.description = 'other';
    choice.properties.reason.enum.push('new_reason');
  },
  'a new 304 response': (d) => {
    d.paths['/v1/states'].get.responses[304] = { description: 'Nothing has changed.' };
  },
  'another server URL': (d) => (d.servers = [{ url: 'https://api.example.com' }]),
};

t.test('breaking changes are reported', async (t) => {
  for (const [what, change] of Object.entries(BREAKING)) {
    const document = released();
    change(document);
    t.not(JSON.stringify(document), JSON.stringify(released()), `${what}: the document was modified`);
    const found = listBreakingChanges(released(), document);
    t.ok(found.length > 0, `${what}: ${found[0]}`);
  }
  t.comment(`${Object.keys(BREAKING).length} breaking changes tested`);
});

t.test('compatible changes are not reported', async (t) => {
  for (const [what, change] of Object.entries(COMPATIBLE)) {
    const document = released();
    change(document);
    t.strictSame(listBreakingChanges(released(), document), [], what);
  }
});
