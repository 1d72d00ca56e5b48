import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant, type TestService } from '../helpers/service.js';

/** Reads the whole feed, page by page. */
async function readFeed({ ask }: TestService, tenantId: string, size: number): Promise<Record<string, unknown>[]> {
  const changes: Record<string, unknown>[] = [];
  let next: string | null = `/v1/tenants/${tenantId}/changes?page%5Bsize%5D=${size}`;
  while (next !== null) {
    const { body } = await ask('GET', next);
    changes.push(...body.data);
    next = body.next_page;
  }
  return changes;
}

type Fields = Record<string, unknown>;

/** Applies all changes, as a client does. */
function replay(changes: readonly Record<string, unknown>[], of: 'company' | 'license'): Map<string, Fields> {
  const objects = new Map<string, Fields>();
  for (const { kind, company_id, license_id, before, after } of changes) {
    if (!String(kind).startsWith(of)) continue;
    const id = String(of === 'company' ? company_id : license_id);
    const present = objects.get(id);
    if ((before === null) !== (present === undefined)) throw new Error(`${kind} of ${id} does not follow`);
    for (const [name, value] of Object.entries((before ?? {}) as Fields)) {
      if (JSON.stringify(present?.[name]) !== JSON.stringify(value))
        throw new Error(`${kind} of ${id}: ${name} was not so`);
    }
    objects.set(id, { ...present, ...(after as Fields) });
  }
  return objects;
}

t.test('GET /changes', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 120 } });
  const { ask, simulator, newId } = service;
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}`;

  const nothing = await ask('GET', `${path}/changes`);
  t.same(nothing.body, { data: [], next_page: null }, 'no changes yet');
  const poll = { headers: { 'if-none-match': nothing.headers.get('etag') ?? '' } };
  t.equal((await ask('GET', `${path}/changes`, poll)).status, 304, 'not modified');
  await syncTenant(service, tenantId);
  t.equal((await ask('GET', `${path}/changes`, poll)).status, 200, 'modified');
  const { body: companies } = await ask('GET', `${path}/companies?page%5Bsize%5D=500&licenses=all`);
  const [sold, renamed, vanished] = companies.data.flatMap((company: { licenses: Fields[] }) => company.licenses);
  simulator.control.sell({ location: sold.license_number, toUbi: simulator.demo.ubi });
  simulator.control.rename({ location: renamed.license_number, name: 'Another Name' });
  simulator.control.vanish({ location: vanished.license_number });
  await syncTenant(service, tenantId, { refresh: 'force' });
  simulator.control.restore({ location: vanished.license_number });
  await syncTenant(service, tenantId, { refresh: 'force' });

  await t.test('200: numbered without gaps, for any page size', async (t) => {
    const small = await readFeed(service, tenantId, 7);
    t.same(small, await readFeed(service, tenantId, 500));
    t.same(
      small.map(({ seq }) => seq),
      small.map((_change, index) => index + 1),
    );
    const kinds = new Set(small.map(({ kind }) => kind));
    for (const kind of ['company.created', 'license.created', 'license.transferred', 'license.deactivated']) {
      t.ok(kinds.has(kind), kind);
    }
    t.ok(small.every(({ actor, run_id }) => String(actor).startsWith('api_key:') && run_id !== null));
  });

  await t.test('200: replaying the feed gives the current companies', async (t) => {
    const changes = await readFeed(service, tenantId, 100);
    const { body } = await ask('GET', `${path}/companies?page%5Bsize%5D=500&licenses=all&archived=include`);
    const replayed = replay(changes, 'company');
    t.equal(replayed.size, body.data.length, `${replayed.size} companies`);
    for (const company of body.data) t.has(company, replayed.get(company.id) as Fields);
    const replayedLicenses = replay(changes, 'license');
    const licenses = body.data.flatMap((company: { id: string; licenses: Fields[] }) =>
      company.licenses.map((license) => ({ ...license, company_id: company.id })),
    );
    t.equal(replayedLicenses.size, licenses.length, `${replayedLicenses.size} licenses`);
    for (const license of licenses) t.has(license, replayedLicenses.get(license.id) as Fields);
  });

  await t.test('200: after_seq returns later changes only', async (t) => {
    const all = await readFeed(service, tenantId, 500);
    const last = all.at(-4) as { seq: number };
    const { body } = await ask('GET', `${path}/changes?after_seq=${last.seq}`);
    t.same(body.data, all.slice(-3));
    t.equal(body.next_page, null);
    const { body: nothing } = await ask('GET', `${path}/changes?after_seq=${all.length}`);
    t.same(nothing.data, []);
  });

  await t.test('400 and 404', async (t) => {
    t.equal((await ask('GET', `${path}/changes?after_seq=-1`)).status, 400);
    t.equal((await ask('GET', `${path}/changes?after_seq=x`)).body.errors[0].pointer, '?after_seq');
    t.equal((await ask('GET', `${path}/changes?page%5Bafter%5D=x`)).body.code, 'invalid_cursor');
    t.equal((await ask('GET', `/v1/tenants/${newId()}/changes`)).status, 404);
  });

  t.strictSame(
    service.contract.listUnseen(OWNERS['changes.test.ts'], isOwnOutcome),
    [],
    'every documented response occurred',
  );
});
