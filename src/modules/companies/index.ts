export { type CompanyFeedChange, toChanges } from './change.js';
export { type ChangeOrigin, recordFirstSync, savePlannedRows } from './plan-repository.js';
export { registerCompaniesRoutes } from './routes.js';
export { countAll, loadActive, loadPart, loadScopeRows, loadSnapshot, type Totals } from './snapshot-repository.js';
