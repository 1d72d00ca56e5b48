import type { Client, SyncRun } from '#client';
import { createApiClient } from './api-client.js';
import { CliError, toCliError } from './cli-error.js';
import { type CompanyCount, countCompanies } from './count-companies.js';
import { createMissingLicenses } from './create-licenses.js';
import { findNewestRun, followFirstRun, startRun, toSyncAction } from './first-sync.js';
import type { Hidden } from './hidden.js';
import { saveCredential } from './save-credential.js';
import { savePreferenceSetting, saveTenantSetting, saveUbiSetting } from './settings.js';
import type { TenantSpec } from './tenant-spec.js';

/** The steps in their order. */
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

export interface TenantProgress {
  readonly step: OnboardingStep;
  /** Parts of the step; both 0 for a step without parts. */
  readonly done: number;
  readonly total: number;
  readonly activity: string;
}

export interface OnboardingSuccess {
  readonly isDone: true;
  readonly ownLicenses: number;
  readonly run: SyncRun;
  readonly count: CompanyCount;
}

export interface OnboardingFailure {
  readonly isDone: false;
  readonly step: OnboardingStep | 'connect';
  readonly failure: CliError;
}

export type OnboardingResult = { readonly spec: TenantSpec; readonly durationMs: number } & (
  | OnboardingSuccess
  | OnboardingFailure
);

export interface OnboardingOptions {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  /** Maximum time to wait for the sync. */
  readonly waitMs: number;
  readonly show: (progress: TenantProgress) => void;
}

/** Runs all steps for one tenant. Each step reads the current state first, so that it can be repeated. */
export async function onboardTenant(spec: TenantSpec, options: OnboardingOptions): Promise<OnboardingResult> {
  const started = performance.now();
  let progress: TenantProgress = { step: 'tenant', done: 0, total: 0, activity: '' };
  const show = (next: Partial<TenantProgress>): void => {
    progress = { ...progress, ...next };
    options.show(progress);
  };
  const enter = (step: OnboardingStep): void => show({ step, done: 0, total: 0, activity: '' });
  const client = createApiClient({
    baseUrl: options.baseUrl,
    apiKey: options.apiKey,
    maxRetryMs: options.waitMs,
    onRetry: (delayMs, { title }) => show({ activity: `retrying in ${(delayMs / 1_000).toFixed(1)} s: ${title}` }),
  });
  let result: OnboardingSuccess | OnboardingFailure;
  try {
    result = await runSteps(client, spec, options.waitMs, enter, show);
  } catch (error) {
    const failure = toCliError(error, options.baseUrl);
    if (failure === undefined) throw error;
    result = { isDone: false, step: progress.step, failure };
  }
  return { spec, durationMs: performance.now() - started, ...result };
}

async function runSteps(
  client: Client,
  spec: TenantSpec,
  waitMs: number,
  enter: (step: OnboardingStep) => void,
  show: (next: Partial<TenantProgress>) => void,
): Promise<OnboardingSuccess> {
  const { tenantId } = spec;
  enter('tenant');
  await saveTenantSetting(client, spec);
  enter('ubi');
  const isOtherUbi = await saveUbiSetting(client, spec);
  enter('preference');
  const isOtherPreference = await savePreferenceSetting(client, spec);
  enter('credential');
  await saveCredential(client, spec);
  enter('licenses');
  const before = await findNewestRun(client, tenantId);
  const ownLicenses = await createMissingLicenses(client, spec, (done, total) => show({ done, total }));
  enter('sync');
  const newest = await findNewestRun(client, tenantId);
  const action = toSyncAction(before, newest, isOtherUbi || isOtherPreference);
  const first = newest === undefined || action === 'start' ? await startRun(client, tenantId) : newest;
  const run = await followFirstRun(client, tenantId, first, waitMs, ({ progress }) =>
    show({ done: progress.done, total: progress.total, activity: progress.step }),
  );
  enter('check');
  await checkSetup(client, tenantId);
  enter('companies');
  return { isDone: true, ownLicenses, run, count: await countCompanies(client, tenantId) };
}

/** @throws CliError if the API reports a step that is not done */
async function checkSetup(client: Client, tenantId: string): Promise<void> {
  const params = { path: { tenant_id: tenantId } };
  const { data } = await client.GET('/v1/tenants/{tenant_id}/setup', { params });
  const open = data.steps.filter(({ status }) => status !== 'done');
  if (open.length === 0) return;
  const details = open.map(({ step, status, blockers }) =>
    [`${step} is ${status}`, ...blockers.map(({ text }) => text)].join(': '),
  );
  throw new CliError({ title: 'Setup is not complete', detail: details.join('; '), code: 'setup_incomplete' });
}
