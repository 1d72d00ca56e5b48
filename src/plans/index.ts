/** From the state's list and the tenant's companies to a plan, and from a plan to rows. */
export { applyPlan } from './apply.js';
export { countOpenConflicts, saveResolution } from './conflict-repository.js';
export { deleteAllCompanies } from './delete-companies-repository.js';
export { saveEdits } from './edit-repository.js';
export { deleteChangesBefore, findExpiryPoint } from './expired-changes-repository.js';
export {
  type FeedObject,
  type FeedObjectPage,
  readAsOf,
  selectCompaniesAsOf,
  selectLicensesAsOf,
} from './feed-objects-repository.js';
export { type CompanyEdits, EDITABLE_FIELDS, PLANNED_FIELDS, USER_COLUMNS, type UserFields } from './fields.js';
export { findGuardViolation } from './guard.js';
export {
  type Lists,
  loadDecisionInputs,
  loadInputsSince,
  loadPlanInputs,
  type PlanInputs,
} from './inputs.js';
export {
  deletePlanItems,
  deleteSomePlanItems,
  type PositionedItem,
  savePlanItems,
  selectAppliedItems,
  selectChangesWithLicenses,
  selectCreatedItems,
  selectStoredItems,
  selectUnchangedCompanyIds,
} from './item-repository.js';
export {
  type ItemFilters,
  isItemWanted,
  type PlanItem,
  type PlanNotes,
  toAmbiguousItem,
  toNoteItems,
  toUnchangedItem,
} from './items.js';
export {
  findLicenseOfLeaflinkCustomer,
  saveLeaflinkCustomer,
  selectLeaflinkLicenses,
} from './leaflink-repository.js';
export { insertLicenseChange } from './license-change-repository.js';
export { makePlan } from './make-plan.js';
export { applyManualCompany } from './manual-company.js';
export {
  type CompanySummary,
  type Names,
  selectCompanyNames,
  selectCompanySummaries,
  selectLicenseNames,
  selectPlannedCompanyNames,
} from './name-repository.js';
export { applyDisplayNames } from './names.js';
export { replaceActor } from './pseudonymize-repository.js';
export { type ChangeOrigin, recordChanges, savePlannedRows } from './rows-repository.js';
export {
  MAX_NOTES_STORED,
  type RunResult,
  toSucceededResult,
} from './run-result.js';
export { areInputsEqual, type InputVersions, type PlanSettings, type RunWarning } from './settings.js';
export { findPlanSettings, getInputsRevision } from './settings-repository.js';
export { loadCompanies, loadLicenses, loadPart, loadScopeRows, loadSnapshot } from './snapshot-repository.js';
export { FULL_PLAN_INTERVAL_SECONDS, saveDismissal, saveEditedState } from './state-repository.js';
export { loadStoredInputs, type PlanToStore, reproducePlan, toPlanToStore } from './store.js';
