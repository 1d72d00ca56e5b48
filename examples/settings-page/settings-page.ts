import { type components, createClient, followSync, hasEnded, isProblem, type PageAt } from '@biotrack-connect/client';
import { act, byId, create, createChoice, fill, formOf, onSubmit, readText, show, toText, translate } from './dom.js';

type Schemas = components['schemas'];
const TENANT = '/v1/tenants/{tenant_id}';
const TOGGLES = { sync_enabled: 'Sync', create_companies: 'Create companies', notify_on_change: 'Notify' };

async function fetchSession() {
  const response = await fetch(`/token${location.search}`); // The host application signs tokens for the API.
  if (!response.ok) throw new Error('You are not signed in to the host application.');
  const body = await response.json();
  const payload = body.token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  return { ...body, claims: JSON.parse(atob(payload)) };
}

let session = await fetchSession();
const { sub, role } = session.claims;
const isAdmin = role === 'admin';
const params = { path: { tenant_id: session.tenant_id as string } };
const withId = (id: string) => ({ path: { ...params.path, id } });
const getToken = async (): Promise<string> => {
  if (session.claims.exp * 1_000 - Date.now() < 30_000) session = await fetchSession();
  return session.token;
};
const client = createClient({ baseUrl: session.base_url, token: getToken });
const edited: Record<string, Schemas['Credential'] | undefined> = {};
let overview: Schemas['Overview'];
let previewed: Schemas['CompanyCreationPreferenceInput'];
let pages: AsyncGenerator<PageAt<`${typeof TENANT}/companies`>, void>;
let rows: string[][] = [];

/** Shows the page with at most three calls: overview, companies and, once there is a login, available licenses. */
async function load(): Promise<void> {
  const searched = act(formOf('search'), search);
  [{ data: overview }] = await Promise.all([client.GET(`${TENANT}/overview`, { params }), searched]);
  const { tenant, setup, ubi, company_creation_preference: preference, own_coverage: coverage, active_sync } = overview;
  byId('caller').textContent = `${tenant.name} · ${sub} (${role})`;
  const toStep = ({ step, status, blockers, warnings }: Schemas['SetupStep']): string =>
    `${translate('steps', step)}: ${translate('statuses', status)}. ${[...blockers, ...warnings].map(toText).join(' ')}`;
  show('steps', setup.steps.map(toStep));
  fill(formOf('ubi'), { ubi: ubi?.ubi ?? '', confirm: false, etag: ubi?.etag ?? '' });
  byId('ubi-status').textContent = ubi && `${translate('statuses', ubi.status)}.`;
  fill(formOf('preference'), preference ?? { etag: '' });
  byId('uncovered').hidden = coverage?.covered !== false;
  showCredentials('company', isAdmin);
  showCredentials('user', true);
  byId('conflicts').replaceChildren(...overview.open_conflicts.map(toConflictForm));
  byId('no-conflicts').hidden = overview.open_conflicts.length > 0;
  if (active_sync === null && overview.last_sync !== null) showRun(overview.last_sync);
  if (active_sync !== null && byId('follow').ariaBusy !== 'true') void follow(active_sync.id);
  if (ubi === null || !overview.credentials.some(({ status }) => status === 'valid')) return;
  showLicenses((await client.GET(`${TENANT}/available-licenses`, { params })).data);
}

function showCredentials(owner: 'company' | 'user', isEditable: boolean): void {
  const isListed = (each: Schemas['Credential']) => each.owner === owner && [null, sub].includes(each.owner_user_id);
  const rows = overview.credentials.filter(isListed).map((credential) => {
    const { description, username, status, status_message: message } = credential;
    const state = message ? toText(message) : translate('statuses', status);
    const edit = create('button', { type: 'button', className: 'secondary' }, `Edit ${description}`);
    edit.onclick = () => {
      formOf(owner).reset();
      fill(formOf(owner), { description, username });
      edited[owner] = credential;
      byId(`${owner}-description`).focus();
    };
    return [`${description} (${username}): ${state}`, ...(isEditable ? [edit] : [])];
  });
  show(`${owner}-list`, rows);
}

async function saveCredential(form: HTMLFormElement, owner: 'company' | 'user'): Promise<void> {
  const [description = '', username = '', password = ''] = ['description', 'username', 'password'].map(readText(form));
  const { id, etag } = edited[owner] ?? {};
  const body = { description, username, ...(id !== undefined && password === '' ? {} : { password }) };
  if (id === undefined) await client.POST(`${TENANT}/credentials`, { params, body: { ...body, password, owner } });
  else await client.PATCH(`${TENANT}/credentials/{id}`, { params: withId(id), body, ...(etag && { etag }) });
  form.reset();
}

function showLicenses({ data, list }: Schemas['AvailableLicenseList']): void {
  byId('list-problem').textContent = list.problem && toText(list.problem.message);
  const rows = data.map(({ license_number: number, name, license_type, address, state, license_id, problem }) => {
    const license = overview.licenses.find(({ id }) => id === license_id);
    const add = createChoice(`Add ${number}`, { name: 'license', value: number });
    const toggles = license ? [createToggles(license)] : state === 'available' ? [add] : [];
    const label = [name, number, license_type, address.city].filter(Boolean).join(' · ');
    return [label, ...(problem === null ? [] : [toText(problem.message)]), ...toggles];
  });
  show('licenses', rows);
  byId('add-licenses').hidden = !data.some(({ state }) => state === 'available');
}

function createToggles({ id, etag, license_number, ...license }: Schemas['License']): HTMLElement {
  const toggles = (Object.keys(TOGGLES) as (keyof typeof TOGGLES)[]).map((name) => {
    const choice = createChoice(TOGGLES[name], { name, checked: license[name] });
    const save = async (box: HTMLInputElement): Promise<void> => {
      const body = { [name]: box.checked };
      box.checked = license[name]; // Until it is saved.
      const { data } = await client.PATCH(`${TENANT}/licenses/{id}`, { params: withId(id), etag, body });
      ({ etag, [name]: license[name] } = data);
      box.checked = license[name];
    };
    choice.onchange = ({ target }) => act(choice, () => save(target as HTMLInputElement));
    return choice;
  });
  return create('span', { className: 'actions', role: 'group', ariaLabel: license_number }, ...toggles);
}

function showRun({ status, progress, reason_message, warnings }: Schemas['SyncRun']): void {
  const isDone = hasEnded({ status });
  const state = isDone ? translate('statuses', status) : translate('progress', progress.step);
  byId('sync-status').textContent = [`${state}.`, ...[reason_message ?? [], warnings].flat().map(toText)].join(' ');
  Object.assign(byId('progress'), { hidden: isDone, max: progress.total, value: progress.done });
}

async function follow(runId: string): Promise<void> {
  await act(byId('follow'), () => followSync(client, session.tenant_id, runId, { onProgress: showRun }));
  await act(byId('setup'), load);
}

function toConflictForm({ id, ubi, companies }: Schemas['Conflict']): HTMLFormElement {
  const toChoice = (label: string, value: string) => createChoice(label, { type: 'radio', name: 'company_id', value });
  const toMerge = ({ id, name, license_numbers: numbers }: Schemas['ConflictCompany']) =>
    toChoice(`One company: ${name} (${numbers.join(', ')})`, id);
  const choices = [toChoice('Keep the companies apart', ''), ...companies.map(toMerge)];
  const legend = create('legend', {}, `${companies.length} companies claim UBI ${ubi}`);
  const button = create('button', {}, 'Save decision');
  const form = create('form', {}, create('fieldset', { disabled: !isAdmin }, legend, ...choices, button));
  onSave(form, async () => {
    const company_id = readText(form)('company_id');
    const body = company_id ? ({ decision: 'merge', company_id } as const) : ({ decision: 'keep_apart' } as const);
    await client.POST(`${TENANT}/conflicts/{id}/resolve`, { params: withId(id), body });
  });
  return form;
}

function readPreference(): Schemas['CompanyCreationPreferenceInput'] {
  const read = readText(formOf('preference'));
  return { strategy: read('strategy') as 'one_per_license', include_labs: read('include_labs') === 'on' };
}

/** Saves the preference, or previews it if it would change companies. With the id of a preview, applies that preview. */
async function savePreference(body: Schemas['CompanyCreationPreferenceInput']): Promise<void> {
  const etag = readText(formOf('preference'))('etag') || null;
  try {
    await client.PUT(`${TENANT}/company-creation-preference`, { params, etag, body });
    byId('preview').hidden = true;
    formOf('preference').removeAttribute('data-dirty');
  } catch (error) {
    if (!isProblem(error, 'preview_required')) throw error;
    const { data: run } = await client.POST(`${TENANT}/company-creation-preference/preview`, { params, body });
    const given = { ...withId(run.id), query: { 'page[size]': 20, action: 'moved,conflict,ambiguous' } };
    const { data: plan } = await client.GET(`${TENANT}/syncs/{id}/plan`, { params: given });
    show(
      'preview-items',
      plan.data.map((item) => translate('actions', item.action, item)),
    );
    byId('preview-counts').textContent = translate('counts', 'preview', run.counts ?? {});
    previewed = { ...body, preview_id: run.id };
    byId('preview').hidden = false;
    byId('preview-title').focus();
  }
}

async function search(): Promise<void> {
  const [q = '', sort = ''] = ['q', 'sort'].map(readText(formOf('search')));
  const query = { sort: sort as 'name', include: 'total' as const, 'page[size]': 20, ...(q.trim() && { q }) };
  pages = client.pages(`${TENANT}/companies`, { params: { ...params, query } });
  rows = [];
  await showPage(rows);
}

async function showPage(shown: string[][]): Promise<void> {
  const { value: page } = await pages.next();
  if (!page || shown !== rows) return; // A newer search replaces it.
  for (const { display_name: name, ubi, is_own_company, licenses } of page.data) {
    const numbers = licenses.map(({ license_number }) => license_number).join(', ');
    rows.push([name, `${is_own_company ? 'your company · ' : ''}UBI ${ubi ?? 'none'} · licenses ${numbers}`]);
  }
  show('companies', rows);
  byId('total').textContent = `${page.total} companies`;
  byId('more').hidden = page.next_page === null;
}

const onSave: typeof onSubmit = (form, action) => onSubmit(form, (each) => action(each).then(load));

onSave(formOf('ubi'), async (form) => {
  const body = { ubi: readText(form)('ubi'), ...(readText(form)('confirm') && { confirm: 'change_ubi' as const }) };
  await client.PUT(`${TENANT}/ubi`, { params, etag: readText(form)('etag') || null, body });
});
onSave(formOf('preference'), () => savePreference(readPreference()));
onSave(formOf('switch'), () => savePreference(previewed));
onSave(formOf('company'), (form) => saveCredential(form, 'company'));
onSave(formOf('user'), (form) => saveCredential(form, 'user'));
onSave(formOf('licenses'), async (form) => {
  const licenses = new FormData(form).getAll('license').map((number) => ({ license_number: String(number) }));
  await client.POST(`${TENANT}/licenses/bulk`, { params, body: { licenses } });
});
onSave(formOf('sync'), () => client.POST(`${TENANT}/syncs`, { params, body: {} }));
onSubmit(formOf('search'), search);
onSubmit(formOf('advice'), async () => {
  const { data } = await client.GET(`${TENANT}/company-creation-preference/advice`, { params });
  const toLine = (each: Schemas['StrategyAdvice']) => translate('counts', each.strategy, each);
  show('advice', data.strategies.map(toLine));
});
byId('more').onclick = () => act(formOf('search'), () => showPage(rows));
for (const owner of ['company', 'user']) formOf(owner).addEventListener('reset', () => delete edited[owner]);
document.body.dataset.role = role;
for (const each of document.querySelectorAll<HTMLFieldSetElement>('[data-admin]')) each.disabled = !isAdmin;
await act(byId('setup'), load);
