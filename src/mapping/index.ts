/** Pure functions that plan how a state's list changes a tenant's companies and licenses. */
export { type Collation, collateVendors, collateYielding, MAPPING_VERSION } from './collate.js';
export * from './delta-scope.js';
export { toNameGroup } from './display-names.js';
export * from './explain.js';
export { toKnownList } from './known-list.js';
export type * from './plan.js';
export { type PlanInput, type PlanPart, planNames, planSync, planYielding } from './plan-sync.js';
export { type Reasons, toReasons } from './reasons.js';
export type * from './snapshot.js';
