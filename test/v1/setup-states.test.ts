import t, { type Test } from 'tap';
import type { Message } from '../../src/domain/message.js';
import {
  FIRST_PUT,
  makeTenant,
  startTestService,
  syncTenant,
  type TestResponse,
  waitForRun,
} from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** The setup checklist in every state of a tenant: the next step that it offers can be called. */

const service = await startTestService(t);
const { ask, simulator } = service;
const { control } = simulator;

const PRIVILEGES = ['sync_vendor', 'sync_check'] as const;
const PASSWORD = 'one';

/** A tenant in the making. Its UBI and its BioTrack user are its own. */
interface Subject {
  readonly path: string;
  readonly tenantId: string;
  readonly ubi: string;
  readonly username: string;
  readonly numbers: readonly string[];
}

interface State {
  readonly name: string;
  /** The number of licenses that the state lists under the UBI. */
  readonly sites?: number;
  readonly arrange: (subject: Subject) => Promise<unknown>;
  /** What the blocker asks for outside of this API. */
  readonly repair?: (subject: Subject) => unknown;
  readonly expected: { readonly next: string | null; readonly who?: string; readonly text?: RegExp };
}

const put = async (path: string, body: unknown): Promise<TestResponse> => {
  const etag = (await ask('GET', path)).headers.get('etag');
  return ask('PUT', path, { body, headers: etag === null ? FIRST_PUT : { 'if-match': etag } });
};

const withUbi = ({ path, ubi }: Subject) => put(`${path}/ubi`, { ubi });

async function withPreference(subject: Subject): Promise<void> {
  await withUbi(subject);
  await put(`${subject.path}/company-creation-preference`, { strategy: 'one_per_vendor' });
}

const toLogin = ({ username }: Subject, password = PASSWORD) => ({
  description: 'office',
  username,
  password,
  owner: 'company',
});

async function withCredential(subject: Subject, more: Record<string, unknown> = {}): Promise<string> {
  await withPreference(subject);
  const { status, body } = await ask('POST', `${subject.path}/credentials`, { body: { ...toLogin(subject), ...more } });
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.id;
}

async function withRefused(subject: Subject, more: Record<string, unknown> = {}): Promise<void> {
  const id = await withCredential(subject, { ...more, verify: 'skip' });
  await ask('POST', `${subject.path}/credentials/${id}/verify`);
}

/** Makes the mirrored list old, so that the next call reads it from the simulator. */
const expireList = () =>
  service.sql(`update directories set refreshed_datetime = now() - interval '1 day', checksum = null`);

const readList = async ({ path }: Subject): Promise<TestResponse['body']> =>
  (await ask('GET', `${path}/available-licenses`)).body;

async function withList(subject: Subject): Promise<void> {
  await withCredential(subject);
  await expireList();
  await readList(subject);
}

/** With all its licenses, but without a sync. */
async function withLicenses(subject: Subject): Promise<void> {
  await withList(subject);
  const licenses = subject.numbers.map((license_number) => ({ license_number, create_companies: false }));
  await ask('POST', `${subject.path}/licenses/bulk`, { body: { licenses } });
}

async function withoutListing(subject: Subject, change: (location: string) => unknown): Promise<void> {
  await withLicenses(subject);
  for (const location of subject.numbers) change(location);
  await expireList();
  await readList(subject);
}

async function synced(subject: Subject): Promise<void> {
  await withLicenses(subject);
  await syncTenant(service, subject.tenantId);
}

/** Leaves the run in review, because most of the state's list is gone. */
async function withRefusedList(subject: Subject): Promise<void> {
  await withLicenses(subject);
  const others = control.rows().filter(({ ubi, deleted }) => ubi?.startsWith('88') !== true && !deleted);
  for (const { location } of others.slice(0, 60)) control.vanish({ location });
  await expireList();
  const run = await syncTenant(service, subject.tenantId);
  if (run.reason !== 'list_shrunk') throw new Error(JSON.stringify(run));
}

/** In this order: the last states leave a shorter list behind. */
const STATES: readonly State[] = [
  { name: 'a new tenant', arrange: async () => undefined, expected: { next: 'putUbi' } },
  { name: 'a UBI', arrange: withUbi, expected: { next: 'putCompanyCreationPreference' } },
  { name: 'a preference', arrange: withPreference, expected: { next: 'createCredential' } },
  {
    name: 'a credential that was not verified',
    arrange: (subject) => withCredential(subject, { verify: 'skip' }),
    expected: { next: 'verifyCredential' },
  },
  {
    name: 'a rejected credential',
    arrange: (subject) => withRefused(subject, { password: 'wrong' }),
    expected: { next: 'updateCredential', text: /office: BioTrack rejected/ },
  },
  {
    name: 'a UBI that BioTrack does not know',
    arrange: async (subject) => {
      await put(`${subject.path}/ubi`, { ubi: '999999999' });
      await ask('POST', `${subject.path}/credentials`, { body: toLogin(subject) });
    },
    expected: { next: 'putUbi', text: /does not recognize this UBI/ },
  },
  {
    name: 'a BioTrack user without the privilege',
    arrange: async (subject) => {
      control.setPrivileges({ ...subject, privileges: [] });
      await withRefused(subject);
    },
    repair: (subject) => control.setPrivileges({ ...subject, privileges: PRIVILEGES }),
    expected: { next: 'verifyCredential', who: 'biotrack_administrator', text: /sync_vendor/ },
  },
  {
    name: 'a password that cannot be decrypted',
    arrange: async (subject) => {
      const id = await withCredential(subject);
      await service.sql('update credentials set sealed_password = $2 where id = $1', [id, Buffer.from('x')]);
    },
    expected: { next: 'updateCredential' },
  },
  {
    name: "a state's list that was never read",
    arrange: async (subject) => {
      const { body } = await ask('GET', subject.path);
      const { name, state } = body;
      await put(subject.path, { name, state, environment: 'training' });
      await withCredential(subject);
    },
    expected: { next: 'listAvailableLicenses' },
  },
  {
    name: 'no license under this UBI',
    arrange: withList,
    expected: {
      next: 'putUbi',
      text: /lists no license under this UBI. Either the UBI, .* or the state has not listed/,
    },
  },
  {
    name: 'only a license that the state lists as deleted',
    sites: 1,
    arrange: async (subject) => {
      for (const location of subject.numbers) control.setField({ location, field: 'deleted', value: 1 });
      await withList(subject);
    },
    expected: { next: 'listAvailableLicenses', text: /lists all licenses under this UBI as deleted/ },
  },
  {
    name: 'an available license beside a deleted one',
    sites: 2,
    arrange: async (subject) => {
      control.setField({ location: subject.numbers[0] as string, field: 'deleted', value: 1 });
      await withList(subject);
    },
    expected: { next: 'createLicense' },
  },
  {
    name: 'only an archived license',
    sites: 1,
    arrange: async (subject) => {
      await withLicenses(subject);
      const path = `${subject.path}/licenses`;
      const [{ id }] = (await ask('GET', path)).body.data;
      const etag = (await ask('GET', `${path}/${id}`)).headers.get('etag') as string;
      await ask('DELETE', `${path}/${id}`, { headers: { 'if-match': etag } });
    },
    expected: { next: 'updateLicense', text: /was archived here. To restore it/ },
  },
  {
    name: 'only a license that the state no longer lists',
    sites: 1,
    arrange: (subject) => withoutListing(subject, (location) => control.vanish({ location })),
    expected: { next: 'listAvailableLicenses', text: /no longer lists the license/ },
  },
  {
    name: 'only a license that was sold',
    sites: 1,
    arrange: (subject) => withoutListing(subject, (location) => control.sell({ location, toUbi: '007331902' })),
    expected: { next: 'listAvailableLicenses', text: /under another UBI/ },
  },
  {
    name: 'only a license that was deleted later',
    sites: 1,
    arrange: (subject) =>
      withoutListing(subject, (location) => control.setField({ location, field: 'deleted', value: 1 })),
    expected: { next: 'listAvailableLicenses', text: /lists the license as deleted/ },
  },
  { name: 'licenses, but no sync', sites: 1, arrange: withLicenses, expected: { next: 'startSync' } },
  {
    name: 'a first sync that failed',
    sites: 1,
    arrange: async (subject) => {
      await withLicenses(subject);
      const { id } = control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
      await expireList();
      await syncTenant(service, subject.tenantId);
      control.clearFaults({ id });
    },
    expected: { next: 'startSync', text: /The last sync failed \(upstream_unreachable\)/ },
  },
  { name: 'a complete setup', sites: 1, arrange: synced, expected: { next: null } },
  {
    name: 'a preview that failed after the first sync',
    sites: 1,
    arrange: async (subject) => {
      await synced(subject);
      const { id } = control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
      await expireList();
      const preview = await ask('POST', `${subject.path}/syncs`, { body: { mode: 'preview' } });
      const run = await waitForRun(service, subject.tenantId, preview.body.id);
      control.clearFaults({ id });
      if (run.status !== 'failed') throw new Error(run.status);
    },
    expected: { next: null },
  },
  {
    name: 'an open conflict',
    sites: 1,
    arrange: async (subject) => {
      await synced(subject);
      const number = `${subject.ubi}-M`;
      await ask('POST', `${subject.path}/companies`, { body: { name: 'Manual', license_numbers: [number] } });
      control.addSite({ ubi: subject.ubi, location: number, name: 'NEW' });
      await expireList();
      await syncTenant(service, subject.tenantId);
    },
    expected: { next: null, text: /^1 conflict is open: .*GET …\/conflicts\?status=open/ },
  },
  {
    name: 'a paused schedule',
    sites: 1,
    arrange: async (subject) => {
      await withList(subject);
      await ask('POST', `${subject.path}/licenses`, { body: { license_number: subject.numbers[0] } });
      await until(
        'the first sync',
        async () => (await ask('GET', `${subject.path}/setup`)).body.steps[4].status === 'done',
      );
      await service.sql(
        `update schedules set paused_datetime = now(), paused_reason = 'upstream_unreachable' where tenant_id = $1`,
        [subject.tenantId],
      );
    },
    expected: { next: null, text: /^Scheduled syncs are paused\. .*POST …\/schedule\/resume/ },
  },
  {
    name: 'a list that was refused',
    sites: 1,
    arrange: withRefusedList,
    expected: { next: 'confirmSync', who: 'operator', text: /much shorter/ },
  },
  {
    name: 'a list that was refused, and accepted for another tenant',
    sites: 1,
    arrange: async (subject) => {
      await withRefusedList(subject);
      const other = await makeTenant(service);
      const review = await syncTenant(service, other);
      const accepted = await ask('POST', `/v1/tenants/${other}/syncs/${review.id}/confirm`);
      await waitForRun(service, other, accepted.body.id);
    },
    expected: { next: 'startSync' },
  },
];

/** Sends the call with what its operation needs. */
async function follow(subject: Subject, { operation_id: operation, method, path }: NextStep): Promise<TestResponse> {
  const license_number = subject.numbers.at(-1);
  const bodies: Readonly<Record<string, unknown>> = {
    putUbi: { ubi: subject.ubi },
    putCompanyCreationPreference: { strategy: 'one_per_license' },
    createCredential: toLogin(subject),
    updateCredential: { password: PASSWORD },
    createLicense: { license_number, create_companies: false },
    updateLicense: { archived: false },
    startSync: {},
  };
  if (method === 'PUT') return put(path, bodies[operation]);
  const etag = method === 'PATCH' ? (await ask('GET', path)).headers.get('etag') : null;
  const body = bodies[operation];
  return ask(method, path, {
    ...(body === undefined ? {} : { body }),
    ...(etag === null ? {} : { headers: { 'if-match': etag } }),
  });
}

interface NextStep {
  readonly step: string;
  readonly operation_id: string;
  readonly method: string;
  readonly path: string;
}

async function check(t: Test, subject: Subject, { expected, repair }: State): Promise<void> {
  const { body } = await ask('GET', `${subject.path}/setup`);
  const next: NextStep | null = body.next_step;
  t.equal(next?.operation_id ?? null, expected.next, 'the next step', { body });
  const item = body.steps.find(({ step }: NextStep) => step === (next?.step ?? 'first_sync'));
  t.equal(item.who, expected.who ?? (next === null ? 'none' : 'admin'));
  const texts = [...item.blockers, ...item.warnings].map(({ text }: Message) => text);
  if (expected.text === undefined) t.notOk(item.status === 'blocked' && texts.length === 0, 'a blocked step says why');
  else
    t.ok(
      texts.some((text) => expected.text?.test(text)),
      'names the problem',
      { texts },
    );
  if (next === null) return;
  await repair?.(subject);
  const answer = await follow(subject, next);
  t.ok(answer.status < 300, `${next.operation_id}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** Listed from the beginning, because a refused list hides later sites. */
const SUBJECTS = STATES.map(({ sites = 0 }, index) => {
  const ubi = `88${String(index).padStart(7, '0')}`;
  const username = `state-${index}@example.com`;
  control.addUser({ ubi, username, password: PASSWORD, privileges: PRIVILEGES });
  const numbers = Array.from({ length: sites }, () => control.addSite({ ubi, name: 'A SITE' }).location);
  return { ubi, username, numbers };
});

for (const [index, state] of STATES.entries()) {
  t.test(`${state.name}: the next step can be called`, async (t) => {
    const tenantId = await makeTenant(service, 'tenant');
    const subject = { path: `/v1/tenants/${tenantId}`, tenantId, ...(SUBJECTS[index] as (typeof SUBJECTS)[number]) };
    await state.arrange(subject);
    await check(t, subject, state);
  });
}
