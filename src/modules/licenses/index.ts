export { ensureDirectory, type LicensePorts } from './available-licenses.js';
export { selectOwnLicensesAsOf } from './feed.js';
export { createListFailures } from './list-failures.js';
export { loadOffer, type Offer } from './offer.js';
export { loadOwnList, type OwnLicense, type OwnList } from './own-list.js';
export { registerLicensesRoutes, toDirectoryStatusReply, toLicenseReply } from './routes.js';
export {
  addLicense,
  applyLicensePatch,
  type LicenseInput,
  type LicensePatch,
  type LicenseView,
  loadLicensePage,
  loadLicenseViews,
} from './service.js';
