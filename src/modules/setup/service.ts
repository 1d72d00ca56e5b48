import type { Db } from '../../db/database.js';
import type { NextStep } from '../../domain/fault.js';
import { SETUP_STEPS, type SetupStep, toNextStep } from '../../domain/setup.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { type CredentialSummary, loadCredentialSummary } from '../credentials/index.js';
import { countLicenses } from '../licenses/index.js';
import { findActiveRun } from '../syncs/index.js';
import { inTenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';

export interface SetupItem {
  readonly step: SetupStep;
  readonly status: 'done' | 'blocked' | 'todo';
  readonly blockers: readonly string[];
  readonly who: 'admin' | 'biotrack_administrator' | 'nobody';
}

export interface Setup {
  readonly items: readonly SetupItem[];
  readonly nextStep: NextStep | undefined;
}

interface Facts {
  readonly hasUbi: boolean;
  readonly hasPreference: boolean;
  readonly credentials: CredentialSummary;
  readonly hasLicense: boolean;
  readonly isSynced: boolean;
  readonly isSyncing: boolean;
}

/** The steps as a checklist, as they are at this moment. */
export const getSetup = (db: Db, tenantId: string): Promise<Setup> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const items = toItems({
      hasUbi: (await findUbi(tx)) !== undefined,
      hasPreference: (await findCreationPreference(tx)) !== undefined,
      credentials: await loadCredentialSummary(tx),
      hasLicense: (await countLicenses(tx)) > 0,
      isSynced: tenant.firstSyncedAt !== null,
      isSyncing: (await findActiveRun(tx)) !== undefined,
    });
    const next = items.find(({ status, who }) => status !== 'done' && who !== 'nobody');
    return { items, nextStep: next === undefined ? undefined : toNextStep(tenantId, next.step) };
  });

function toItems(facts: Facts): SetupItem[] {
  const needs: Readonly<Record<SetupStep, readonly SetupStep[]>> = {
    ubi: [],
    company_creation_preference: ['ubi'],
    credentials: ['ubi'],
    licenses: ['ubi', 'company_creation_preference', 'credentials'],
    first_sync: ['ubi', 'company_creation_preference', 'credentials'],
  };
  const done: Readonly<Record<SetupStep, boolean>> = {
    ubi: facts.hasUbi,
    company_creation_preference: facts.hasPreference,
    credentials: facts.credentials.usable > 0,
    licenses: facts.hasLicense,
    first_sync: facts.isSynced,
  };
  return SETUP_STEPS.map((step) => {
    if (done[step]) return { step, status: 'done', blockers: [], who: 'nobody' };
    const missing = needs[step].filter((earlier) => !done[earlier]);
    if (missing.length > 0) {
      return {
        step,
        status: 'blocked',
        blockers: missing.map((earlier) => `The step ${earlier} comes first.`),
        who: 'admin',
      };
    }
    if (step === 'credentials' && facts.credentials.refused.length > 0) return toRefused(facts.credentials);
    if (step === 'first_sync' && facts.isSyncing)
      return { step, status: 'todo', blockers: ['A sync is under way.'], who: 'nobody' };
    return { step, status: 'todo', blockers: [], who: 'admin' };
  });
}

function toRefused({ refused }: CredentialSummary): SetupItem {
  const onlyPrivileges = refused.every(({ status }) => status === 'privilege_missing');
  return {
    step: 'credentials',
    status: 'blocked',
    blockers: refused.map(({ description, detail }) => `${description}: ${detail}`),
    who: onlyPrivileges ? 'biotrack_administrator' : 'admin',
  };
}
