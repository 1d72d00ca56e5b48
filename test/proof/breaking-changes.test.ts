import { readFile } from 'node:fs/promises';
import t from 'tap';
import { listBreakingChanges } from '../../tools/breaking-changes.js';

/** What breaks a caller of the released API is found, whatever it is; what does not is let through. */

// biome-ignore lint/suspicious/noExplicitAny: the document is changed at will.
type Document = any;

const text = await readFile(new URL('../../openapi/v1.json', import.meta.url), 'utf8');
const released = (): Document => JSON.parse(text);
const TENANT = '/v1/tenants/{tenant_id}';

const body = (document: Document, path: string, method: string): Document =>
  document.paths[path][method].requestBody.content['application/json'].schema;
const shape = (document: Document, name: string): Document => document.components.schemas[name];
const parameter = (document: Document, path: string, method: string, name: string): Document =>
  document.paths[path][method].parameters.find((each: Document) => each.name === name);
const without = <T>(list: T[], item: T): T[] => list.filter((each) => each !== item);

const BREAKING: Readonly<Record<string, (document: Document) => void>> = {
  'an operation is gone': (d) => delete d.paths[`${TENANT}/ubi`].get,
  'a path is gone': (d) => delete d.paths['/v1/states'],
  'an operation is called otherwise': (d) => (d.paths['/v1/states'].get.operationId = 'getStates'),
  'a key is needed': (d) => delete d.paths['/livez'].get.security,
  'a query parameter is gone': (d) => (d.paths['/v1/tenants'].get.parameters = []),
  'a parameter is required': (d) => (parameter(d, '/v1/tenants', 'get', 'page[size]').required = true),
  'a new parameter is required': (d) =>
    (d.paths['/v1/states'].get.parameters = [{ in: 'query', name: 'x', required: true, schema: { type: 'string' } }]),
  'a parameter has a lower limit': (d) => (parameter(d, '/v1/tenants', 'get', 'page[size]').schema.maximum = 100),
  'a parameter has another type': (d) => (parameter(d, '/v1/tenants', 'get', 'page[size]').schema.type = 'string'),
  'a parameter has fewer words': (d) => parameter(d, `${TENANT}/companies`, 'get', 'origin').schema.enum.pop(),
  'a field is required': (d) => (body(d, `${TENANT}/syncs`, 'post').required = ['refresh']),
  'a new field is required': (d) => {
    const schema = body(d, TENANT, 'put');
    schema.properties.color = { type: 'string' };
    schema.required = [...schema.required, 'color'];
  },
  'a field is gone': (d) => delete body(d, `${TENANT}/licenses`, 'post').properties.sync_enabled,
  'a field has another type': (d) => (body(d, `${TENANT}/ubi`, 'put').properties.ubi.type = 'integer'),
  'a field may be shorter only': (d) => (body(d, TENANT, 'put').properties.name.maxLength = 10),
  'a field must be longer': (d) => (body(d, TENANT, 'put').properties.name.minLength = 10),
  'a field has a pattern': (d) => (body(d, `${TENANT}/ubi`, 'put').properties.ubi.pattern = '^[0-9]{9}$'),
  'a field has fewer words': (d) => (body(d, TENANT, 'put').properties.environment.enum = ['production']),
  'a body is not taken as JSON': (d) => {
    const { content } = d.paths[`${TENANT}/ubi`].put.requestBody;
    content['application/xml'] = content['application/json'];
    delete content['application/json'];
  },
  'an answer is gone': (d) => delete d.paths[`${TENANT}/ubi`].put.responses[201],
  'an answer has another status': (d) => {
    const { responses } = d.paths[`${TENANT}/syncs`].post;
    responses[201] = responses[202];
    delete responses[202];
  },
  'a field of an answer is gone': (d) => delete shape(d, 'Company').properties.ubi,
  'a field of an answer may be absent': (d) =>
    (shape(d, 'Company').required = without(shape(d, 'Company').required, 'name')),
  'a field of an answer has another type': (d) => (shape(d, 'Company').properties.archived.type = 'string'),
  'a field of an answer may be null': (d) => (shape(d, 'Company').properties.name.type = ['string', 'null']),
  'a field of an answer is any word': (d) => delete shape(d, 'SyncRun').properties.status.enum,
  'a time is no time any more': (d) => delete shape(d, 'Tenant').properties.inserted_datetime.format,
  'a field deep in an answer has another type': (d) => (shape(d, 'CompanyLicense').properties.active.type = 'integer'),
  'a list holds something else': (d) => (shape(d, 'TenantPage').properties.data.items = { type: 'string' }),
  'a header of an answer is gone': (d) => delete d.paths[TENANT].get.responses[200].headers.etag,
  'an alternative is gone': (d) => shape(d, 'CredentialCoverage').properties.credential.anyOf.pop(),
  'a field of an alternative is gone': (d) =>
    delete shape(d, 'CredentialCoverage').properties.credential.anyOf[0].properties.owner,
  'an answer is no JSON': (d) => {
    const { content } = d.paths[TENANT].get.responses[200];
    content['text/plain'] = content['application/json'];
    delete content['application/json'];
  },
};

const HARMLESS: Readonly<Record<string, (document: Document) => void>> = {
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
  'a new optional field': (d) => (body(d, TENANT, 'put').properties.color = { type: 'string' }),
  'a field is optional now': (d) => (body(d, TENANT, 'put').required = ['name']),
  'a field may be longer': (d) => (body(d, TENANT, 'put').properties.name.maxLength = 10_000),
  'a field takes another word': (d) => body(d, TENANT, 'put').properties.environment.enum.push('sandbox'),
  'a field may be null': (d) => (body(d, TENANT, 'put').properties.name.type = ['string', 'null']),
  'a new field of an answer': (d) => {
    shape(d, 'Company').properties.color = { type: 'string' };
    shape(d, 'Company').required.push('color');
  },
  'a new word in an answer': (d) => shape(d, 'Problem').properties.code.enum.push('new_code'),
  'a new refusal': (d) => (d.paths['/v1/tenants'].get.responses[409] = d.paths['/v1/tenants'].get.responses[400]),
  'other words': (d) => {
    d.info.description = 'other';
    d.paths['/v1/tenants'].get.summary = 'other';
    body(d, TENANT, 'put').properties.name.description = 'other';
    body(d, TENANT, 'put').properties.name.examples = ['other'];
  },
  'other words for an alternative, and another word in it': (d) => {
    const [choice] = shape(d, 'CredentialCoverage').properties.credential.anyOf;
    choice.properties.reason.description = 'other';
    choice.properties.reason.enum.push('new_reason');
  },
  'an answer for those who ask whether anything changed': (d) => {
    d.paths['/v1/states'].get.responses[304] = { description: 'Nothing has changed.' };
  },
  'another server': (d) => (d.servers = [{ url: 'https://api.example.com' }]),
};

t.test('what breaks a caller is found', async (t) => {
  for (const [what, change] of Object.entries(BREAKING)) {
    const document = released();
    change(document);
    t.not(JSON.stringify(document), JSON.stringify(released()), `${what}: planted`);
    const found = listBreakingChanges(released(), document);
    t.ok(found.length > 0, `${what}: ${found[0]}`);
  }
  t.comment(`${Object.keys(BREAKING).length} breaking changes planted`);
});

t.test('what breaks nobody is not', async (t) => {
  for (const [what, change] of Object.entries(HARMLESS)) {
    const document = released();
    change(document);
    t.strictSame(listBreakingChanges(released(), document), [], what);
  }
});
