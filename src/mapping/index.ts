/** The door of the heart: pure functions from what the state lists and what a tenant has to what shall be done. */
export { type Collation, collateVendors, collateYielding, MAPPING_VERSION } from './collate.js';
export * from './delta-scope.js';
export { toNameGroup } from './display-names.js';
export * from './explain.js';
export { listKnown } from './list-known.js';
export type * from './plan.js';
export { type PlanInput, type PlanPart, planNames, planSync, planYielding } from './plan-sync.js';
export {
  COMPANY_REASONS,
  type CompanyReason,
  LICENSE_REASONS,
  type LicenseReason,
  type Reasons,
  toReasons,
} from './reasons.js';
export type * from './snapshot.js';
