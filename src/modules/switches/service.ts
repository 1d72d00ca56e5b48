import type { Db, Tx } from '../../db/database.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import type { Strategy } from '../../domain/strategy.js';
import { runYielding } from '../../domain/yielding.js';
import type { SyncPlan } from '../../mapping/index.js';
import {
  applyPlan,
  findPlanSettings,
  loadPlanInputs,
  loadStoredInputs,
  makePlan,
  type PlanSettings,
  type RunWarning,
  reproducePlan,
  savePlanItems,
  toAmbiguousItem,
  toPlanToStore,
} from '../../plans/index.js';
import {
  type CreationPreference,
  type CreationPreferenceInput,
  findCreationPreference,
  putCreationPreference,
  requireCreationPreference,
  saveCreationPreference,
} from '../creation-preference/index.js';
import type { DirectoryService } from '../directory/index.js';
import { findRun, finishRun, insertRunningRun, type SyncRun, saveApplied } from '../syncs/index.js';
import { inTenant, planAndRecord } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { type NamesakeGroup, toNamesakes, toNamesakesReply, toPlannedState } from './namesakes.js';

export interface SwitchPorts {
  readonly newId: () => string;
  readonly directories: DirectoryService;
  readonly clock: () => Date;
}

export interface PreviewInput {
  readonly strategy: Strategy;
  /** Undefined keeps the current value. */
  readonly includeLabs: boolean | undefined;
}

/** Plans a strategy switch from the mirrored list, without requests to BioTrack, and saves it as a finished run. */
export async function previewSwitch(
  db: Db,
  { newId, directories, clock }: SwitchPorts,
  tenantId: string,
  { strategy, includeLabs }: PreviewInput,
  principal: Principal,
): Promise<SyncRun> {
  const id = newId();
  const at = clock();
  const { preference, inputs } = await inTenant(
    db,
    tenantId,
    async (tx, { firstSyncedAt }) => {
      await requireUbi(tx, tenantId);
      const current = await requireCreationPreference(tx, tenantId);
      const settings = firstSyncedAt === null ? undefined : await findPlanSettings(tx);
      if (settings === undefined) {
        throw new ServiceError(
          'not_synced',
          'Before the first sync there are no companies, so the preference can be changed without a preview.',
        );
      }
      const preference = { strategy, includeLabs: includeLabs ?? current.includeLabs };
      return { preference, inputs: await loadPlanInputs(tx, directories, { ...settings, ...preference }) };
    },
    { isSnapshot: true },
  );
  const plan = await makePlan(inputs, { runId: id, at });
  const namesakes = await runYielding(toNamesakes(await runYielding(toPlannedState(inputs.snapshot, plan))));
  const { items, result } = await toPlanToStore(inputs, plan, at);
  const warnings = [...toNameWarnings(namesakes), ...toVendorChangeWarnings(plan), ...result.warnings];
  const nameItems = namesakes.map((group) => toAmbiguousItem(toNamesakesReply(group)));
  return inTenant(db, tenantId, async (tx) => {
    const requestedBy = toActor(principal);
    const kind = { trigger: 'request', mode: 'preview', refresh: 'auto' } as const;
    await insertRunningRun(tx, tenantId, { id, ...preference, ...kind, requestedBy });
    await savePlanItems(tx, tenantId, id, [...items, ...nameItems]);
    const run = await finishRun(tx, { id, fence: 0 }, { ...result, warnings, status: 'succeeded' });
    if (run === undefined) throw new Error('the preview was not saved');
    return run;
  });
}

const toNameWarnings = ({ length }: readonly NamesakeGroup[]): RunWarning[] =>
  length === 0 ? [] : [{ code: 'companies_share_a_name', licenseNumber: null }];

/** Known companies that would represent another vendor than before, because one of their licenses was sold. */
function toVendorChangeWarnings({ companies, licenses }: SyncPlan): RunWarning[] {
  const held = new Map(licenses.flatMap(({ after }) => (after.active ? [[after.companyId, after.licenseNumber]] : [])));
  return companies.flatMap(({ before, after }) => {
    const isActive = before !== undefined && after.archivedDatetime === null;
    if (!isActive || before.ubiKey === null || after.ubiKey === null || before.ubiKey === after.ubiKey) return [];
    return [{ code: 'company_represents_another_vendor' as const, licenseNumber: held.get(after.id) ?? null }];
  });
}

export interface ChoosePreferenceInput extends Pick<CreationPreferenceInput, 'strategy'> {
  /** Undefined uses the preview's value, or false without a preview. */
  readonly includeLabs: boolean | undefined;
  readonly previewId: string | undefined;
  readonly precondition: Precondition;
  readonly principal: Principal;
}

/** Saves the preference. With a preview, also applies it in the same transaction. */
export function choosePreference(
  db: Db,
  ports: SwitchPorts,
  tenantId: string,
  { previewId, strategy, includeLabs, precondition, principal }: ChoosePreferenceInput,
): Promise<{ preference: CreationPreference; created: boolean }> {
  if (previewId === undefined) {
    return putCreationPreference(db, tenantId, { strategy, includeLabs: includeLabs ?? false }, precondition);
  }
  return planAndRecord(db, tenantId, {
    async load(tx) {
      await requireUbi(tx, tenantId);
      const preview = await requirePreview(tx, previewId);
      const input = { strategy, includeLabs: includeLabs ?? preview.includeLabs === true };
      const settings = await findPlanSettings(tx);
      const isSameChoice = preview.strategy === strategy && preview.includeLabs === input.includeLabs;
      const isApplicable = isSameChoice && preview.appliedAt === null && settings !== undefined;
      const inputs = isApplicable ? await loadStoredInputs(tx, ports.directories, settings, preview) : undefined;
      const stale = (): ServiceError =>
        new ServiceError('preview_stale', toStaleDetail(preview, settings, input), { conflicting_id: preview.id });
      const present = await findCreationPreference(tx);
      return { preview, input, inputs, present, stale };
    },
    async plan({ preview, input, inputs, present, stale }) {
      checkPrecondition(precondition, present?.version);
      const plan = inputs && (await reproducePlan(inputs, preview));
      if (inputs === undefined || plan === undefined) throw stale();
      return { input, inputs, plan };
    },
    async record(tx, { input, inputs, plan }) {
      checkPrecondition(precondition, (await findCreationPreference(tx))?.version);
      const preference = await saveCreationPreference(tx, tenantId, input);
      const versions = { ...inputs.versions, ...input };
      const applied = await applyPlan(tx, tenantId, {
        inputs: { ...inputs, versions },
        plan,
        actor: toActor(principal),
        runId: previewId,
        newId: ports.newId,
      });
      await saveApplied(tx, previewId, applied);
      return { preference, created: false };
    },
  });
}

async function requirePreview(tx: Tx, id: string): Promise<SyncRun> {
  const preview = await findRun(tx, id);
  // `includeLabs` is only set for previews of a switch, not for previews of a sync.
  if (preview?.mode === 'preview' && preview.status === 'succeeded' && preview.includeLabs !== null) return preview;
  throw new ServiceError(
    'preview_unknown',
    'Create a preview with POST …/company-creation-preference/preview, and pass its id.',
    {
      errors: [{ pointer: '/preview_id', detail: 'is not the id of a strategy switch preview of this tenant' }],
    },
  );
}

function toStaleDetail(preview: SyncRun, settings: PlanSettings | undefined, input: CreationPreferenceInput): string {
  if (preview.appliedAt !== null) return 'This preview has already been applied.';
  if (preview.strategy !== input.strategy || preview.includeLabs !== input.includeLabs) {
    return 'The preview is for another strategy or another value of include_labs.';
  }
  const hasListChanged = preview.inputVersions?.directoryVersion !== settings?.versions.directoryVersion;
  return hasListChanged
    ? "The state's list changed since the preview. Create a new one."
    : 'The companies or the setup changed since the preview. Create a new one.';
}
