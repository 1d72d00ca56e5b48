import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Tickets for event streams. Two services share the database, so that a ticket of one is used at the other. */

const service = await startTestService(t, { simulator: { licenses: 30 } });
const other = await startTestService(t, { beside: service, role: 'api' });
const { ask, contract, newId, sql } = service;
const tenantId = await makeTenant(service);
await syncTenant(service, tenantId);
const [run] = (await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data;
const path = `/v1/tenants/${tenantId}/syncs/${run.id}`;
const USER = 'user-1';

const create = async (key?: string) => {
  const { status, body } = await ask('POST', `${path}/event-tickets`, key === undefined ? {} : { key });
  if (status !== 201) throw new Error(`no ticket: ${status}`);
  return body as { ticket: string; url: string; expires_datetime: string };
};
const open = (ticket: string, query = '', from = service) =>
  from.ask('GET', `${path}/events?ticket=${ticket}${query}`, { key: null });

t.test('a ticket opens the stream once, in any process', async (t) => {
  const made = await create();
  t.match(made.ticket, /^[\w-]{48}$/);
  t.equal(made.url, `${service.baseUrl}${path}/events?ticket=${made.ticket}`);
  const seconds = (new Date(made.expires_datetime).getTime() - Date.now()) / 1_000;
  t.ok(seconds > 50 && seconds < 61, `${seconds} s`);
  t.match(await open(made.ticket, '', other), { status: 200, body: /^id: .*\nevent: end\n/m });
  for (const from of [service, other])
    t.equal((await open(made.ticket, '', from)).status, 204, 'ends the reconnecting of an EventSource');
  const race = await create();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_each, n) => open(race.ticket, '', n % 2 ? other : service)),
  );
  t.equal(
    answers.filter(({ status }) => status === 200).length,
    1,
    'one of twelve concurrent requests gets the stream',
  );
  t.equal(answers.filter(({ status }) => status === 204).length, 11);
});

t.test('last_event_id stands for the header', async (t) => {
  const [, last] = /^id: (.*)$/m.exec((await open((await create()).ticket)).body) ?? [];
  t.equal((await open((await create()).ticket, `&last_event_id=${last}`)).status, 204, 'the last event was read');
  t.equal((await open((await create()).ticket, '&last_event_id=0')).status, 200);
});

t.test('a ticket is for one stream, for 60 seconds', async (t) => {
  const foreign = await makeTenant(service);
  await syncTenant(service, foreign);
  const { body: second } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { mode: 'preview' } });
  const { ticket } = await create();
  const paths = [`/v1/tenants/${tenantId}/syncs/${second.id}`, `/v1/tenants/${foreign}/syncs/${run.id}`];
  for (const wrong of paths) {
    const answer = await ask('GET', `${wrong}/events?ticket=${ticket}`, { key: null });
    t.match(answer, { status: 401, body: { code: 'unauthenticated', detail: /POST …\/event-tickets/ } }, wrong);
  }
  for (const url of [`${path}?ticket=${ticket}`, `${path}/plan?ticket=${ticket}`])
    t.equal((await ask('GET', url, { key: null })).status, 401, 'it opens nothing else');
  for (const forged of ['', 'x', `${ticket}A`, ticket.slice(1), `${ticket.slice(0, -4)}AAAA`, 'A'.repeat(48), '%00'])
    t.ok([400, 401].includes((await open(forged)).status), forged);
  const mixed = await ask('GET', `${path}/events?ticket=${ticket}`, { key: 'btk_none' });
  t.equal(mixed.status, 401, 'a token has precedence');
  t.equal((await open(ticket)).status, 200, 'none of this used it');

  const late = await create();
  await sql(`update event_tickets set expires_datetime = now() - interval '1 second' where principal is not null`);
  t.match(await open(late.ticket), { status: 401, body: { code: 'unauthenticated' } });
  await sql(`update event_tickets set expires_datetime = now() - interval '25 hours'`);
  await create();
  const [{ count }] = (await sql('select count(*)::int as count from event_tickets')) as [{ count: number }];
  t.equal(count, 1, 'old tickets are deleted');
});

t.test('a ticket reads as its caller, as long as the caller may', async (t) => {
  const key = service.tokenOf({ tenantId, userId: USER, role: 'user' });
  const mine = await create(key);
  const user = `/v1/tenants/${tenantId}/users/${USER}`;
  const { headers } = await ask('GET', user);
  const put = await ask('PUT', user, { body: { active: false }, headers: { 'if-match': headers.get('etag') ?? '' } });
  t.equal(put.status, 200);
  await until('the user has no access', async () => (await ask('GET', path, { key })).status === 403);
  t.match(await open(mine.ticket), { status: 403, body: { code: 'forbidden' } }, 'a deactivated user');

  const { body: apiKey } = await ask('POST', '/v1/api-keys', {
    body: { description: 'x', role: 'admin', tenant_id: tenantId },
  });
  service.simulator.control.injectFault({
    fault: 'slow_first_byte',
    action: 'sync_vendor',
    delayMs: 20_000,
    times: 1,
  });
  const { body: long } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
  const stream = `/v1/tenants/${tenantId}/syncs/${long.id}`;
  const { body: ticket } = await ask('POST', `${stream}/event-tickets`, { key: apiKey.secret });
  const reading = ask('GET', `${stream}/events?ticket=${ticket.ticket}`, { key: null });
  await until('the stream is open', async () => {
    const rows = await sql('select 1 from event_tickets where principal is null and run_id = $1', [long.id]);
    return rows.length === 1;
  });
  await ask('DELETE', `/v1/api-keys/${apiKey.id}`);
  t.notMatch((await reading).body, /event: end/, 'the stream ends with the key');
  await ask('POST', `${stream}/cancel`);

  const admin = service.tokenOf({ tenantId, userId: 'user-2', role: 'admin' });
  await create(admin);
  const second = await ask('GET', `/v1/tenants/${tenantId}/users/user-2`);
  const erased = await ask('DELETE', `/v1/tenants/${tenantId}/users/user-2`, {
    headers: { 'if-match': second.headers.get('etag') ?? '' },
  });
  t.equal(erased.status, 204);
  const rows = await sql(`select 1 from event_tickets where principal ->> 'id' = 'user-2'`);
  t.equal(rows.length, 0, 'tickets of a deleted user are deleted');
});

t.test('tickets reach no log and no table', async (t) => {
  const { ticket } = await create();
  await open(ticket);
  await open(ticket);
  for (const { logged } of [service, other]) t.notMatch(logged(), ticket);
  const [{ text }] = (await sql('select string_agg(t::text, chr(10)) as text from event_tickets t')) as [
    { text: string },
  ];
  t.notMatch(text, Buffer.from(ticket, 'base64url').toString('hex'));
  t.equal((await ask('POST', `/v1/tenants/${tenantId}/syncs/${newId()}/event-tickets`)).status, 404);
});

t.test('every documented response of these operations was tested', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['event-tickets.test.ts'], isOwnOutcome), []);
});
