/** The door of the heart: pure functions from what the state lists and what a tenant has to what shall be done. */
export { type Collation, collateVendors, MAPPING_VERSION } from './collate.js';
export type * from './plan.js';
export { type PlanInput, planSync } from './plan-sync.js';
export type * from './snapshot.js';
