import type { Db, Tx } from '../../db/database.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import type { Strategy } from '../../domain/strategy.js';
import { runYielding } from '../../domain/yielding.js';
import type { SyncPlan } from '../../mapping/index.js';
import { loadSnapshot } from '../companies/index.js';
import {
  type CreationPreference,
  type CreationPreferenceInput,
  findCreationPreference,
  putCreationPreference,
  requireCreationPreference,
  saveCreationPreference,
} from '../creation-preference/index.js';
import type { DirectoryService } from '../directory/index.js';
import {
  applyPlan,
  findPlanInputs,
  findRun,
  finishRun,
  insertRunningRun,
  type PlanInputs,
  planSnapshot,
  type RunWarning,
  reproducePlan,
  type SyncRun,
  saveApplied,
  storePlan,
  toAmbiguousItem,
  toPlanRequest,
} from '../syncs/index.js';
import { inLockedTenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { type NamesakeGroup, toNamesakes, toNamesakesReply, toPlannedState } from './namesakes.js';

export interface SwitchPorts {
  readonly newId: () => string;
  readonly directories: DirectoryService;
  readonly clock: () => Date;
}

export interface PreviewInput {
  readonly strategy: Strategy;
  /** Undefined: as it is now. */
  readonly includeLabs: boolean | undefined;
}

/** The exact effect of another choice, as a finished run; planned from the directory as it stands, nothing is fetched. */
export const previewSwitch = (
  db: Db,
  { newId, directories, clock }: SwitchPorts,
  tenantId: string,
  { strategy, includeLabs }: PreviewInput,
  principal: Principal,
): Promise<SyncRun> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    await requireUbi(tx, tenantId);
    const { includeLabs: includesLabs } = await requireCreationPreference(tx, tenantId);
    const ground = tenant.firstSyncedAt === null ? undefined : await findPlanInputs(tx, tenant);
    if (ground === undefined) {
      throw new ServiceError('not_synced', 'There are no companies yet: the choice is free, and needs no preview.');
    }
    const wanted = { strategy, includeLabs: includeLabs ?? includesLabs };
    const id = newId();
    await insertRunningRun(tx, tenantId, {
      id,
      ...wanted,
      trigger: 'request',
      mode: 'preview',
      refresh: 'auto',
      requestedBy: toActor(principal),
    });
    const at = clock();
    const snapshot = await loadSnapshot(tx, ground.ubi.ubiKey);
    const planned = await planSnapshot(tx, directories, toPlanRequest(ground, wanted, id, at), snapshot);
    const namesakes = await runYielding(toNamesakes(await runYielding(toPlannedState(snapshot, planned.plan))));
    const remarks = namesakes.map((group) => toAmbiguousItem(toNamesakesReply(group)));
    const result = await storePlan(tx, tenantId, id, { ground, planned, at, remarks });
    const warnings = [...toNameWarnings(namesakes), ...toMeaningWarnings(planned.plan), ...planned.plan.warnings];
    await finishRun(tx, { id, fence: 0 }, { ...result, warnings, status: 'succeeded' });
    return (await findRun(tx, id)) as SyncRun;
  });

const toNameWarnings = ({ length }: readonly NamesakeGroup[]): RunWarning[] =>
  length === 0 ? [] : [{ code: 'companies_share_a_name', licenseNumber: null }];

/** Companies that are known, and would stand for another vendor than they last did: a license of theirs was sold. */
function toMeaningWarnings({ companies, licenses }: SyncPlan): RunWarning[] {
  const held = new Map(licenses.flatMap(({ after }) => (after.active ? [[after.companyId, after.licenseNumber]] : [])));
  return companies.flatMap(({ before, after }) => {
    const isThere = before !== undefined && after.archivedDatetime === null;
    if (!isThere || before.ubiKey === null || after.ubiKey === null || before.ubiKey === after.ubiKey) return [];
    return [{ code: 'company_means_another_vendor' as const, licenseNumber: held.get(after.id) ?? null }];
  });
}

export interface PreferenceInput extends Pick<CreationPreferenceInput, 'strategy'> {
  /** Undefined: as previewed; without a preview none. */
  readonly includeLabs: boolean | undefined;
  readonly previewId: string | undefined;
}

/** Saves the choice; with a preview it carries that preview out as well, in one transaction. */
export function choosePreference(
  db: Db,
  ports: SwitchPorts,
  tenantId: string,
  { previewId, strategy, includeLabs }: PreferenceInput,
  precondition: Precondition,
  principal: Principal,
): Promise<{ preference: CreationPreference; created: boolean }> {
  if (previewId === undefined) {
    return putCreationPreference(db, tenantId, { strategy, includeLabs: includeLabs ?? false }, precondition);
  }
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    await requireUbi(tx, tenantId);
    const present = await findCreationPreference(tx);
    checkPrecondition(precondition, present?.version);
    const preview = await requirePreview(tx, previewId);
    const input = { strategy, includeLabs: includeLabs ?? preview.includeLabs === true };
    const ground = await findPlanInputs(tx, tenant);
    const planned =
      ground === undefined ? undefined : await reproducePlan(tx, ports.directories, ground, preview, input.strategy);
    const isSameChoice = preview.includeLabs === input.includeLabs;
    if (ground === undefined || planned === undefined || !isSameChoice || preview.appliedAt !== null) {
      throw new ServiceError('preview_stale', toStaleDetail(preview, ground, input), { conflicting_id: preview.id });
    }
    await saveCreationPreference(tx, tenantId, input);
    const preference = (await findCreationPreference(tx)) as CreationPreference;
    const applied = await applyPlan(tx, tenantId, {
      ground: { ...ground, basis: { ...ground.basis, preferenceVersion: preference.version } },
      planned,
      actor: toActor(principal),
      runId: previewId,
      ids: ports.newId,
    });
    await saveApplied(tx, previewId, applied);
    return { preference, created: false };
  });
}

async function requirePreview(tx: Tx, id: string): Promise<SyncRun> {
  const preview = await findRun(tx, id);
  // The preview of an ordinary sync says nothing of a choice.
  if (preview?.mode === 'preview' && preview.status === 'succeeded' && preview.includeLabs !== null) return preview;
  throw new ServiceError('preview_unknown', 'POST …/company-creation-preference/preview makes one.', {
    errors: [{ pointer: '/preview_id', detail: 'is no preview of a switch of this tenant' }],
  });
}

function toStaleDetail(preview: SyncRun, ground: PlanInputs | undefined, input: CreationPreferenceInput): string {
  if (preview.appliedAt !== null) return 'This preview was carried out already.';
  if (preview.strategy !== input.strategy || preview.includeLabs !== input.includeLabs) {
    return 'It is the preview of another choice.';
  }
  const hasMoved = preview.basis?.directoryVersion !== ground?.basis.directoryVersion;
  return hasMoved
    ? "The state's list moved since. Look at a new preview."
    : 'Companies or the set-up changed since. Look at a new preview.';
}
