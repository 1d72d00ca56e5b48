import { type ApiClient, createApiClient } from './api.js';
import { type CompanyCount, countCompanies } from './count-companies.js';
import { createMissingLicenses } from './create-licenses.js';
import { CliError } from './failure.js';
import { findNewestRun, type Run, startRun, toSyncAction, followFirstRun } from './first-sync.js';
import type { Hidden } from './hidden.js';
import { MOST_PATIENCE_MS } from './patience.js';
import { saveCredential } from './save-credential.js';
import { savePreferenceSetting, saveTenantSetting, saveUbiSetting } from './settings.js';
import type { TenantOrder } from './tenant-order.js';

/** The steps in their order, as a person reads them. */
export const ONBOARDING_STEPS = [
  'tenant',
  'ubi',
  'preference',
  'credential',
  'licenses',
  'sync',
  'check',
  'companies',
] as const;
export type OnboardingStep = (typeof ONBOARDING_STEPS)[number];

/** Where a tenant stands. */
export interface Standing {
  readonly step: OnboardingStep;
  /** Within the step, where it has parts. */
  readonly done: number;
  readonly total: number;
  readonly note: string;
}

export interface Done {
  readonly isDone: true;
  readonly ownLicenses: number;
  readonly run: Run;
  readonly count: CompanyCount;
}

export interface NotDone {
  readonly isDone: false;
  readonly step: OnboardingStep | 'connect';
  readonly failure: CliError;
}

export type OnboardingResult = { readonly order: TenantOrder; readonly durationMs: number } & (Done | NotDone);

export interface TenantWork {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  /** For the end of the sync. */
  readonly waitMs: number;
  readonly show: (standing: Standing) => void;
}

/** Takes one tenant through all steps. Each looks first what is there, so that it can be begun anew at any time. */
export async function onboardTenant(order: TenantOrder, work: TenantWork): Promise<OnboardingResult> {
  const started = performance.now();
  let standing: Standing = { step: 'tenant', done: 0, total: 0, note: '' };
  const show = (next: Partial<Standing>): void => {
    standing = { ...standing, ...next };
    work.show(standing);
  };
  const enter = (step: OnboardingStep): void => show({ step, done: 0, total: 0, note: '' });
  const api = createApiClient({
    baseUrl: work.baseUrl,
    apiKey: work.apiKey,
    patienceMs: Math.min(work.waitMs, MOST_PATIENCE_MS),
    onWait: (pauseMs, { title }) => show({ note: `waits ${(pauseMs / 1_000).toFixed(1)} s: ${title}` }),
  });
  let result: Done | NotDone;
  try {
    result = await takeSteps(api, order, work.waitMs, enter, show);
  } catch (failure) {
    if (!(failure instanceof CliError)) throw failure;
    result = { isDone: false, step: standing.step, failure };
  }
  return { order, durationMs: performance.now() - started, ...result };
}

async function takeSteps(
  api: ApiClient,
  order: TenantOrder,
  waitMs: number,
  enter: (step: OnboardingStep) => void,
  show: (next: Partial<Standing>) => void,
): Promise<Done> {
  const { tenantId } = order;
  enter('tenant');
  await saveTenantSetting(api, order);
  enter('ubi');
  const isOtherUbi = await saveUbiSetting(api, order);
  enter('preference');
  const isOtherPreference = await savePreferenceSetting(api, order);
  enter('credential');
  await saveCredential(api, order);
  enter('licenses');
  const before = await findNewestRun(api, tenantId);
  const ownLicenses = await createMissingLicenses(api, order, (done, total) => show({ done, total }));
  enter('sync');
  const newest = await findNewestRun(api, tenantId);
  const action = toSyncAction(before, newest, isOtherUbi || isOtherPreference);
  const first = newest === undefined || action === 'start' ? await startRun(api, tenantId) : newest;
  const run = await followFirstRun(api, tenantId, first, waitMs, ({ progress }) =>
    show({ done: progress.done, total: progress.total, note: progress.step }),
  );
  enter('check');
  await checkSetup(api, tenantId);
  enter('companies');
  return { isDone: true, ownLicenses, run, count: await countCompanies(api, tenantId) };
}

/** That it is done is for the service to say, not for us. */
async function checkSetup(api: ApiClient, tenantId: string): Promise<void> {
  const params = { path: { tenant_id: tenantId } };
  const { data } = await api.call((client) => client.GET('/v1/tenants/{tenant_id}/setup', { params }));
  const open = data.steps.filter(({ status }) => status !== 'done');
  if (open.length === 0) return;
  const details = open.map(({ step, status, blockers }) => [`${step} is ${status}`, ...blockers].join(': '));
  throw new CliError({ title: 'The set-up is not complete', detail: details.join('; '), code: 'setup_incomplete' });
}
