import { readFile } from 'node:fs/promises';
import t from 'tap';
import { listRuleViolations } from '../../tools/document-rules.js';

/** `tools/document-rules.ts` accepts the document, and reports each kind of violation. */

// biome-ignore lint/suspicious/noExplicitAny: the tests modify arbitrary parts of the document.
type Document = any;

const text = await readFile(new URL('../../openapi/v1.json', import.meta.url), 'utf8');
const TENANT = '/v1/tenants/{tenant_id}';
const schemaOf = (d: Document, name: string): Document => d.components.schemas[name];

const PLANTED: Readonly<Record<string, readonly [plant: (d: Document) => void, reported: RegExp]>> = {
  'an anonymous request body': [
    (d) => (d.paths[TENANT].put.requestBody.content['application/json'].schema = { type: 'object', properties: {} }),
    /putTenant request: the body must be a named schema/,
  ],
  'an anonymous response': [
    (d) => (d.paths[TENANT].get.responses[200].content['application/json'].schema = { type: 'string' }),
    /getTenant 200: the body must be a named schema/,
  ],
  'an anonymous problem': [
    (d) => (d.paths[TENANT].get.responses[404].content['application/problem+json'].schema = { type: 'object' }),
    /getTenant 404/,
  ],
  'a nested anonymous object': [
    (d) => (schemaOf(d, 'Company').properties.parent = { type: 'object', properties: { id: { type: 'string' } } }),
    /Company\/parent: an object must be a named schema/,
  ],
  'an anonymous item': [
    (d) => (schemaOf(d, 'CompanyPage').properties.data.items = { type: 'object', properties: {} }),
    /CompanyPage\/data\[\]: an object/,
  ],
  'an anonymous nullable object': [
    (d) =>
      (schemaOf(d, 'License').properties.problem = { anyOf: [{ type: 'object', properties: {} }, { type: 'null' }] }),
    /License\/problem: an object/,
  ],
  'a field that can only be null': [
    (d) => (schemaOf(d, 'AvailableLicenseList').properties.next_page = { type: 'null' }),
    /next_page can only be null/,
  ],
  'an integer without a format': [
    (d) => delete schemaOf(d, 'SyncRun').properties.attempt.format,
    /SyncRun\/attempt: a number has no format/,
  ],
  'a parameter without a format': [
    (d) =>
      delete d.paths['/v1/tenants'].get.parameters.find((each: Document) => each.name === 'page[size]').schema.format,
    /listTenants \?page\[size\]: a number/,
  ],
  'an id without a format': [
    (d) => delete d.paths[TENANT].get.parameters[0].schema.format,
    /getTenant: tenant_id has no format uuid/,
  ],
  'a closed enum in a response': [
    (d) => (schemaOf(d, 'Tenant').properties.environment.enum = ['production']),
    /Tenant\/environment: an enum in a response must be open/,
  ],
  'a closed enum deep in a response': [
    (d) => (schemaOf(d, 'CompanyLicense').properties.activities.items.enum = ['retail']),
    /CompanyLicense\/activities\[\]: an enum/,
  ],
  'a closed enum of problems': [(d) => (schemaOf(d, 'Problem').properties.code.enum = ['x']), /Problem\/code: an enum/],
  'an event stream with an object': [
    (d) =>
      (d.paths[`${TENANT}/syncs/{id}/events`].get.responses[200].content['text/event-stream'].schema = {
        $ref: '#/components/schemas/SyncRun',
      }),
    /listSyncEvents 200: an event stream must be a string/,
  ],
  'a name of a generator': [
    (d) => (d.components.schemas.Configuration = { type: 'string' }),
    /Configuration is a name/,
  ],
  'a name that Go clients make': [(d) => (d.components.schemas.NewApiKey = { type: 'string' }), /NewApiKey collides/],
  'a nullable twin': [(d) => (d.components.schemas.NullableCompany = { type: 'string' }), /NullableCompany collides/],
  'names that differ in case': [(d) => (d.components.schemas.company = { type: 'string' }), /differ only in case/],
  'no operationId': [(d) => delete d.paths[TENANT].get.operationId, /has no operationId/],
  'two tags': [(d) => d.paths[TENANT].get.tags.push('More'), /getTenant must have one tag/],
};

t.test('the document follows the rules', async (t) => {
  t.strictSame(listRuleViolations(JSON.parse(text)), []);
});

t.test('each kind of violation is reported', async (t) => {
  for (const [what, [plant, reported]] of Object.entries(PLANTED)) {
    const document = JSON.parse(text);
    plant(document);
    const found = listRuleViolations(document);
    t.ok(
      found.some((each) => reported.test(each)),
      `${what}: ${found.join('; ')}`,
    );
    t.ok(found.length <= 2, `${what}: ${found.length} reports`);
  }
});
