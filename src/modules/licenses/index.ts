export { ensureDirectory, type LicensePorts } from './available-licenses.js';
export type { LicenseRow } from './repository.js';
export { registerLicensesRoutes } from './routes.js';
export {
  addLicense,
  applyLicensePatch,
  type LicenseInput,
  type LicensePatch,
  type LicenseView,
  loadLicenseViews,
  loadOffer,
} from './service.js';
