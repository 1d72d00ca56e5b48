export { ensureDirectory, type LicensePorts } from './available-licenses.js';
export { registerLicensesRoutes } from './routes.js';
export {
  addLicense,
  applyLicensePatch,
  type LicenseInput,
  type LicensePatch,
  type LicenseView,
  loadLicenseViews,
  loadOffer,
  type Offer,
} from './service.js';
