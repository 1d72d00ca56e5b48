import t from 'tap';
import { createClient, type EventSourceLike, followSync, isProblem, type SyncRun } from '#client';
import { FIRST_PUT, startTestService } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** The calls of examples/settings-page, in their order and without a browser, and `followSync`, on which it is built. */

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ubi, username, password } = service.simulator.demo;
const tenantId = service.newId();
const params = { path: { tenant_id: tenantId } };
const withId = (id: string) => ({ path: { tenant_id: tenantId, id } });
const clientOf = (role: 'admin' | 'user') =>
  createClient({ baseUrl: service.baseUrl, token: () => service.tokenOf({ tenantId, role, userId: `demo-${role}` }) });
const [admin, user] = [clientOf('admin'), clientOf('user')];
await service.ask('PUT', `/v1/tenants/${tenantId}`, {
  headers: FIRST_PUT,
  body: { name: 'Demo', state: 'NM', environment: 'production' },
});

/** An EventSource on `fetch` that breaks after its first event, like a proxy that limits the time of a connection. */
const urls: string[] = [];
let breaksAfterFirst = true;
class BreakingEventSource implements EventSourceLike {
  private readonly listeners = new Map<string, (event: { data?: string; lastEventId?: string }) => void>();
  private readonly controller = new AbortController();

  constructor(url: string) {
    urls.push(url);
    this.read(url).then(
      () => this.emit('error'),
      () => this.emit('error'),
    );
  }

  addEventListener(type: string, listener: (event: { data?: string; lastEventId?: string }) => void): void {
    this.listeners.set(type, listener);
  }

  close(): void {
    this.listeners.clear();
    this.controller.abort();
  }

  private emit(type: string, event: { data?: string; lastEventId?: string } = {}): void {
    this.listeners.get(type)?.(event);
  }

  private async read(url: string): Promise<void> {
    const response = await fetch(url, { signal: this.controller.signal });
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, id = '', type = '', data = ''] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/m.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (type === '') continue;
        this.emit(type, { data, lastEventId: id });
        if (breaksAfterFirst && type === 'progress') return;
      }
    }
  }
}

t.test('an admin sets up an empty tenant', async (t) => {
  const { data: empty } = await admin.GET('/v1/tenants/{tenant_id}/overview', { params });
  t.match(empty, { ubi: null, company_creation_preference: null, credentials: [], active_sync: null, last_sync: null });
  await admin.PUT('/v1/tenants/{tenant_id}/ubi', { params, etag: null, body: { ubi } });
  const path = '/v1/tenants/{tenant_id}/company-creation-preference';
  await admin.PUT(path, { params, etag: null, body: { strategy: 'one_per_license', include_labs: false } });
  const body = { description: 'Office', username, password: 'wrong', owner: 'company' } as const;
  const wrong = await admin.POST('/v1/tenants/{tenant_id}/credentials', { params, body }).catch((error) => error);
  t.ok(isProblem(wrong, 'credentials_rejected'));
  t.match(wrong.errors, [{ pointer: '/password' }], 'the problem names the field');
  await admin.POST('/v1/tenants/{tenant_id}/credentials', { params, body: { ...body, password } });
  const { data: advice } = await admin.GET(`${path}/advice`, { params });
  t.equal(advice.strategies.length, 2);

  const { data: available } = await admin.GET('/v1/tenants/{tenant_id}/available-licenses', { params });
  const licenses = available.data.map(({ license_number }) => ({ license_number }));
  await admin.POST('/v1/tenants/{tenant_id}/licenses/bulk', { params, body: { licenses } });
  const { data: after } = await admin.GET('/v1/tenants/{tenant_id}/overview', { params });
  const id = after.active_sync?.id ?? after.last_sync?.id ?? '';
  const run = await followSync(admin, tenantId, id, { EventSource: BreakingEventSource });
  t.match(run.status, /^succeeded/, 'the first sync ends');
  const [license] = after.licenses;
  const given = { params: withId(license?.id ?? ''), etag: license?.etag ?? '', body: { notify_on_change: false } };
  const { data: changed } = await admin.PATCH('/v1/tenants/{tenant_id}/licenses/{id}', given);
  t.equal(changed.notify_on_change, false, 'a toggle, with the ETag of the overview');

  const query = { q: 'chain', sort: 'name', include: 'total', 'page[size]': 20 } as const;
  const found = await admin.GET('/v1/tenants/{tenant_id}/companies', { params: { ...params, query } });
  t.ok((found.data.total ?? 0) >= 1, 'the search finds companies');

  const { data: now } = await admin.GET('/v1/tenants/{tenant_id}/overview', { params });
  const etag = now.company_creation_preference?.etag ?? '';
  const next = { strategy: 'one_per_vendor', include_labs: false } as const;
  const refused = await admin.PUT(path, { params, etag, body: next }).catch((error) => error);
  t.ok(isProblem(refused, 'preview_required'), 'a switch requires a preview');
  const { data: preview } = await admin.POST(`${path}/preview`, { params, body: next });
  const moves = { ...withId(preview.id), query: { action: 'moved' } };
  const { data: plan } = await admin.GET('/v1/tenants/{tenant_id}/syncs/{id}/plan', { params: moves });
  t.ok(plan.data.length > 0);
  for (const item of plan.data) t.ok(item.company_name && item.from_company_name, 'the items have names');
  const switched = await admin.PUT(path, { params, etag, body: { ...next, preview_id: preview.id } });
  t.equal(switched.data.strategy, 'one_per_vendor');
});

t.test('a user saves their own credential, and nothing else', async (t) => {
  const { data: before } = await user.GET('/v1/tenants/{tenant_id}/overview', { params });
  t.equal(before.credentials.length, 1, 'the company’s');
  const etag = before.ubi?.etag ?? '';
  const refused = await user.PUT('/v1/tenants/{tenant_id}/ubi', { params, etag, body: { ubi: '1' } }).catch((e) => e);
  t.ok(isProblem(refused, 'forbidden'));
  const body = { description: 'Mine', username, password, owner: 'user' } as const;
  const { data } = await user.POST('/v1/tenants/{tenant_id}/credentials', { params, body });
  t.equal(data.owner_user_id, 'demo-user');
});

/** Starts a sync that waits for BioTrack. */
async function startSlowSync(): Promise<string> {
  const fault = { fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 1_500, times: 1 } as const;
  service.simulator.control.injectFault(fault);
  const { data } = await admin.POST('/v1/tenants/{tenant_id}/syncs', { params, body: { refresh: 'force' } });
  return data.id;
}

t.test('followSync continues a broken stream with a new ticket', async (t) => {
  urls.length = 0;
  const seen: SyncRun[] = [];
  let reconnects = 0;
  const run = await followSync(admin, tenantId, await startSlowSync(), {
    EventSource: BreakingEventSource,
    onProgress: (each) => seen.push(each),
    onReconnect: () => (reconnects += 1),
  });
  t.match(run.status, /^succeeded/);
  t.ok(urls.length >= 2, 'the stream was opened again');
  t.equal(reconnects, urls.length - 1);
  const queries = urls.map((url) => new URL(url).searchParams);
  t.equal(new Set(queries.map((query) => query.get('ticket'))).size, urls.length, 'each time with another ticket');
  t.strictSame(
    queries.map((query) => query.has('last_event_id')),
    queries.map((_query, index) => index > 0),
    'after the last event',
  );
  t.match(seen.at(-1), { id: run.id, status: run.status }, 'the last progress is the end');
});

t.test('followSync of a run that has ended, and of a canceled wait', async (t) => {
  breaksAfterFirst = false;
  const { data: runs } = await admin.GET('/v1/tenants/{tenant_id}/syncs', { params });
  const [ended] = runs.data;
  const run = await followSync(admin, tenantId, ended?.id ?? '', { EventSource: BreakingEventSource });
  t.equal(run.id, ended?.id);
  class NoEvents implements EventSourceLike {
    addEventListener(type: string, listener: (event: object) => void): void {
      if (type === 'error') setTimeout(() => listener({}), 1);
    }
    close(): void {}
  }
  const read = await followSync(admin, tenantId, ended?.id ?? '', { EventSource: NoEvents });
  t.equal(read.id, ended?.id, 'a proxy that blocks streams: the run is read');

  const controller = new AbortController();
  const reason = new Error('the page was closed');
  urls.length = 0;
  const waiting = followSync(admin, tenantId, await startSlowSync(), {
    EventSource: BreakingEventSource,
    signal: controller.signal,
  });
  await until('the stream is open', async () => urls.length > 0);
  controller.abort(reason);
  await t.rejects(waiting, reason);
  const none = followSync(admin, tenantId, ended?.id ?? '');
  const hasGlobal = 'EventSource' in globalThis;
  if (!hasGlobal) await t.rejects(none, { message: /There is no EventSource/ });
  const missing = followSync(admin, tenantId, service.newId(), { EventSource: NoEvents });
  await t.rejects(missing, { code: 'not_found' });
});
