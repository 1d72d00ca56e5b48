import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import t from 'tap';
import { ERRORS } from '../../src/domain/service-error.js';
import type { JsonDocument, Operation } from '../helpers/contract.js';
import { pickCount } from '../helpers/counts.js';
import { createQuickAsk } from '../helpers/quick-ask.js';
import { createRequestMaker, type MadeRequest } from '../helpers/requests.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';

/** The OpenAPI document, taken at its word: its examples, and requests made from it at random. */

const RUNS = pickCount({ few: 15, full: 200, long: 1_000 });
const SEED = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const AT_ONCE = 12;

const service = await startTestService(t, { simulator: { licenses: 30 } });
const { ask, contract, newId, baseUrl, operatorKey } = service;
const tenantId = await makeTenant(service);
await syncTenant(service, tenantId);

/** An object of each list that has one, and keeps it: what is made at random deletes nothing. */
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
const quickAsk = createQuickAsk(baseUrl, AT_ONCE);
t.teardown(() => quickAsk.close());
const listOf = (path: string): string => path.split('/{id}')[0] ?? '';

t.test('every body has an example, and every example is one', async (t) => {
  const ajv = addFormats.default(new Ajv2020({ strict: false }));
  ajv.addSchema({ ...contract.document, $id: 'document' });
  let count = 0;
  const judge = (pointer: readonly string[], part: JsonDocument | undefined, what: string): void => {
    for (const [type, content] of Object.entries((part?.content ?? {}) as Record<string, JsonDocument>)) {
      const examples = [
        content.example,
        ...Object.values((content.examples ?? {}) as Record<string, JsonDocument>).map(({ value }) => value),
      ];
      const given = examples.filter((example) => example !== undefined);
      t.ok(given.length > 0, `${what} has an example`);
      const schema = [...pointer, 'content', type, 'schema'].map((name) =>
        encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1')),
      );
      const validate = ajv.compile({ $ref: `document#/${schema.join('/')}` });
      for (const example of given) {
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
    judge([...pointer, 'requestBody'], operation.requestBody as JsonDocument | undefined, `${id}: its body`);
    for (const [status, reply] of Object.entries(operation.responses as Record<string, JsonDocument>)) {
      judge([...pointer, 'responses', status], reply, `${id}: ${status}`);
      const { example } =
        (reply.content as Record<string, JsonDocument> | undefined)?.['application/problem+json'] ?? {};
      if (example !== undefined) t.equal(String((example as JsonDocument).status), status, 'a problem says its status');
    }
    t.ok(String(operation.summary).length > 5, `${id} says what it does`);
    for (const parameter of (operation.parameters ?? []) as JsonDocument[])
      t.type(parameter.description, 'string', `${id} says what ${parameter.name} is`);
  }
  t.comment(`${count} examples`);
});

t.test('every example of a body can be sent', async (t) => {
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

t.test('a page for each type of problem', async (t) => {
  const all = await ask('GET', '/docs/problems', { key: null });
  t.match(all.headers.get('content-type'), /^text\/html/);
  for (const [code, { status, title }] of Object.entries(ERRORS)) {
    const page = await ask('GET', `/docs/problems/${code}`, { key: null });
    t.equal(page.status, 200, code);
    for (const text of [code, title, String(status)]) t.ok(page.body.includes(text), `says ${text}`);
    t.ok(all.body.includes(`/docs/problems/${code}`), 'and is linked');
    t.notMatch(page.body, /undefined/);
  }
  t.equal((await ask('GET', '/docs/problems/nothing', { key: null })).status, 404);
  t.match((await ask('GET', '/docs/problems/not_found', { key: null })).body, /getTenant/, 'says who answers it');
});

interface Count {
  sent: number;
  accepted: number;
}

/** Sends what was made, some at a time, and says what was wrong with the answers. */
async function walk(
  requests: readonly MadeRequest[],
  judge: (request: MadeRequest, status: number, body: JsonDocument | undefined) => string | undefined,
  count: Count,
): Promise<string[]> {
  const faults: string[] = [];
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
        const fault = judge(request, answer.status, answer.body);
        if (fault !== undefined)
          faults.push(`${fault}: ${show(request)} → ${answer.status} ${JSON.stringify(answer.body)}`);
      } catch (error) {
        faults.push(`${String(error)}: ${show(request)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return faults.map((fault) => fault.slice(0, 1_500));
}

const show = ({ method, path, options, wrong }: MadeRequest): string =>
  `${method} ${path} ${JSON.stringify(options)} (${wrong ?? 'valid'})`;

t.test('requests at random', async (t) => {
  t.comment(`TEST_SEED=${SEED}, ${RUNS} valid and ${RUNS} broken requests of each operation`);
  const maker = createRequestMaker(contract.document, (operation, name) =>
    name === 'tenant_id' ? [tenantId] : (ids.get(listOf(operation.path)) ?? []),
  );
  const valid: Count = { sent: 0, accepted: 0 };
  const broken: Count = { sent: 0, accepted: 0 };
  for (const [index, operation] of contract.operations.entries()) {
    const sample = (arbitrary: fc.Arbitrary<MadeRequest>): MadeRequest[] =>
      fc.sample(arbitrary, { numRuns: RUNS, seed: SEED + index });
    const faults = [
      ...(await walk(
        sample(maker.toValid(operation)),
        (_request, status) => (status >= 500 && status !== 503 ? 'broke' : undefined),
        valid,
      )),
      ...(await walk(
        sample(maker.toBroken(operation)),
        (request, status, body) => judgeBroken(operation, request, status, body),
        broken,
      )),
    ];
    t.strictSame(faults.slice(0, 3), [], `${operation.id} (${faults.length} faults)`);
  }
  t.comment(
    `${contract.operations.length} operations: ${valid.sent} valid requests (${valid.accepted} accepted), ${broken.sent} broken ones (${broken.accepted} accepted)`,
  );
  t.equal(broken.accepted, 0, 'none that is broken is accepted');
});

function judgeBroken(
  _operation: Operation,
  { wrong = '' }: MadeRequest,
  status: number,
  body: JsonDocument | undefined,
): string | undefined {
  // Who asks for something in a way that nothing is called may also hear that there is none.
  if (wrong.startsWith('path ') && status === 404) return undefined;
  if (status !== 400) return 'not refused';
  const errors = (body?.errors ?? []) as unknown[];
  return body?.code === 'invalid_request' && errors.length === 0 ? 'names no field' : undefined;
}
