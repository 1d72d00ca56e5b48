export { type Change, toChanges } from './change.js';
export { applyPlan, type ChangeOrigin, noteFirstSync } from './plan-repository.js';
export { useCompanies } from './routes.js';
export { countAll, loadPart, loadSnapshot, lookUp, type Totals } from './snapshot-repository.js';
