export { applyPlan, loadSnapshot, noteFirstSync } from './plan-repository.js';
export { useCompanies } from './routes.js';
