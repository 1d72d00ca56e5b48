import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import t from 'tap';
import { ERRORS } from '../../src/domain/service-error.js';
import type { JsonDocument, Operation } from '../helpers/contract.js';
import { pickCount } from '../helpers/counts.js';
import { createQuickAsk } from '../helpers/quick-ask.js';
import { createRequestMaker, type MadeRequest } from '../helpers/requests.js';
import { readSeed } from '../helpers/seed.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';

/** The OpenAPI document: its examples, and random requests generated from it. */

const RUNS = pickCount({ few: 5, full: 200, long: 1_000 });
const SEED = readSeed();
const CONCURRENCY = 12;

const service = await startTestService(t, { simulator: { licenses: 30 } });
const { ask, contract, newId, baseUrl, operatorKey } = service;
const tenantId = await makeTenant(service);
await syncTenant(service, tenantId);

/** Ids of existing objects, by list. Random requests delete none of them. */
const ids = new Map<string, readonly string[]>();
for (const { path, method } of contract.operations) {
  const list = /^(.*)\/\{id\}$/.exec(path)?.[1];
  if (list === undefined || method !== 'GET') continue;
  const { body } = await ask('GET', list.replace('{tenant_id}', tenantId));
  ids.set(
    list,
    body.data.slice(0, 3).map(({ id }: { id: string }) => id),
  );
}
const quickAsk = createQuickAsk(baseUrl, CONCURRENCY);
t.teardown(() => quickAsk.close());
const listOf = (path: string): string => path.split('/{id}')[0] ?? '';

t.test('every body has a valid example', async (t) => {
  const ajv = addFormats.default(new Ajv2020({ strict: false }));
  ajv.addSchema({ ...contract.document, $id: 'document' });
  let count = 0;
  /** By schema: most operations have the same problems. */
  const validators = new Map<string, ValidateFunction>();
  const check = (pointer: readonly string[], part: JsonDocument | undefined, what: string): void => {
    for (const [type, content] of Object.entries((part?.content ?? {}) as Record<string, JsonDocument>)) {
      const examples = [
        content.example,
        ...Object.values((content.examples ?? {}) as Record<string, JsonDocument>).map(({ value }) => value),
      ];
      const present = examples.filter((example) => example !== undefined);
      t.ok(present.length > 0, `${what} has an example`);
      const schema = [...pointer, 'content', type, 'schema'].map((name) =>
        encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1')),
      );
      const text = JSON.stringify(content.schema);
      const validate = validators.get(text) ?? ajv.compile({ $ref: `document#/${schema.join('/')}` });
      validators.set(text, validate);
      for (const example of present) {
        count += 1;
        t.ok(validate(example), `${what}: ${JSON.stringify(validate.errors)}`);
      }
    }
  };
  for (const { id, path, method } of contract.operations) {
    const operation = ((contract.document.paths as JsonDocument)[path] as JsonDocument)[
      method.toLowerCase()
    ] as JsonDocument;
    const pointer = ['paths', path, method.toLowerCase()];
    check([...pointer, 'requestBody'], operation.requestBody as JsonDocument | undefined, `${id}: its body`);
    for (const [status, reply] of Object.entries(operation.responses as Record<string, JsonDocument>)) {
      check([...pointer, 'responses', status], reply, `${id}: ${status}`);
      const { example } =
        (reply.content as Record<string, JsonDocument> | undefined)?.['application/problem+json'] ?? {};
      if (example !== undefined)
        t.equal(String((example as JsonDocument).status), status, 'a problem has the status of the response');
    }
    t.ok(String(operation.summary).length > 5, `${id} has a summary`);
    for (const parameter of (operation.parameters ?? []) as JsonDocument[])
      t.type(parameter.description, 'string', `${id} describes ${parameter.name}`);
  }
  t.comment(`${count} examples`);
});

t.test('every example of a request body is accepted', async (t) => {
  let count = 0;
  for (const operation of contract.operations) {
    const { body } = operation;
    if (body === undefined) continue;
    const content = (
      ((contract.document.paths as JsonDocument)[operation.path] as JsonDocument)[operation.method.toLowerCase()] as {
        requestBody: { content: Record<string, JsonDocument> };
      }
    ).requestBody.content['application/json'];
    const examples = [
      content?.example,
      ...Object.values((content?.examples ?? {}) as Record<string, JsonDocument>).map(({ value }) => value),
    ];
    for (const example of examples.filter((each) => each !== undefined)) {
      const own = await makeTenant(service, 'preference');
      const path = operation.path
        .replace('{tenant_id}', operation.id === 'putTenant' ? newId() : own)
        .replace('{id}', newId());
      const { status } = await ask(operation.method, path, { body: example, headers: { 'if-none-match': '*' } });
      count += 1;
      t.ok(status !== 400 && status < 500, `${operation.id}: ${JSON.stringify(example)} is ${status}`);
    }
  }
  t.comment(`${count} examples sent`);
  t.ok(count > 0);
});

t.test('every problem type has a documentation page', async (t) => {
  const all = await ask('GET', '/docs/problems', { key: null });
  t.match(all.headers.get('content-type'), /^text\/html/);
  for (const [code, { status, title }] of Object.entries(ERRORS)) {
    const page = await ask('GET', `/docs/problems/${code}`, { key: null });
    t.equal(page.status, 200, code);
    for (const text of [code, title, String(status)]) t.ok(page.body.includes(text), `contains ${text}`);
    t.ok(all.body.includes(`/docs/problems/${code}`), 'is linked');
    t.notMatch(page.body, /undefined/);
  }
  t.equal((await ask('GET', '/docs/problems/nothing', { key: null })).status, 404);
  t.match(
    (await ask('GET', '/docs/problems/not_found', { key: null })).body,
    /getTenant/,
    'lists the operations that return it',
  );
});

interface Count {
  sent: number;
  accepted: number;
}

/** Sends the requests concurrently. @returns what is wrong with the responses */
async function walk(
  requests: readonly MadeRequest[],
  findProblem: (request: MadeRequest, status: number, body: JsonDocument | undefined) => string | undefined,
  count: Count,
): Promise<string[]> {
  const problems: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < requests.length; index = next++) {
      const request = requests[index] as MadeRequest;
      const { method, path, options } = request;
      try {
        const answer = await quickAsk(method, path, { ...options, key: operatorKey });
        contract.check(method, path.split('?')[0] ?? '', answer, false);
        count.sent += 1;
        if (answer.status < 400) count.accepted += 1;
        const problem = findProblem(request, answer.status, answer.body);
        if (problem !== undefined)
          problems.push(`${problem}: ${show(request)} → ${answer.status} ${JSON.stringify(answer.body)}`);
      } catch (error) {
        problems.push(`${String(error)}: ${show(request)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return problems.map((problem) => problem.slice(0, 1_500));
}

const show = ({ method, path, options, wrong }: MadeRequest): string =>
  `${method} ${path} ${JSON.stringify(options)} (${wrong ?? 'valid'})`;

t.test('random requests', async (t) => {
  t.comment(`TEST_SEED=${SEED}, ${RUNS} valid and ${RUNS} invalid requests of each operation`);
  const maker = createRequestMaker(contract.document, (operation, name) =>
    name === 'tenant_id' ? [tenantId] : (ids.get(listOf(operation.path)) ?? []),
  );
  const valid: Count = { sent: 0, accepted: 0 };
  const broken: Count = { sent: 0, accepted: 0 };
  for (const [index, operation] of contract.operations.entries()) {
    const sample = (arbitrary: fc.Arbitrary<MadeRequest>): MadeRequest[] =>
      fc.sample(arbitrary, { numRuns: RUNS, seed: SEED + index });
    const problems = [
      ...(await walk(
        sample(maker.toValid(operation)),
        (_request, status) => (status >= 500 && status !== 503 ? 'failed' : undefined),
        valid,
      )),
      ...(await walk(
        sample(maker.toBroken(operation)),
        (request, status, body) => findProblemOfInvalid(operation, request, status, body),
        broken,
      )),
    ];
    t.strictSame(problems.slice(0, 3), [], `${operation.id} (${problems.length} problems)`);
  }
  t.comment(
    `${contract.operations.length} operations: ${valid.sent} valid requests (${valid.accepted} accepted), ${broken.sent} invalid ones (${broken.accepted} accepted)`,
  );
  t.equal(broken.accepted, 0, 'no invalid request is accepted');
});

function findProblemOfInvalid(
  _operation: Operation,
  { wrong = '' }: MadeRequest,
  status: number,
  body: JsonDocument | undefined,
): string | undefined {
  // A malformed id may also return 404.
  if (wrong.startsWith('path ') && status === 404) return undefined;
  if (status !== 400) return 'not rejected';
  const errors = (body?.errors ?? []) as unknown[];
  return body?.code === 'invalid_request' && errors.length === 0 ? 'names no field' : undefined;
}
