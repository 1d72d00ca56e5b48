export type { LicensePorts } from './available-licenses.js';
export { useLicenses } from './routes.js';
export { type LicenseView, loadLicenseViews } from './service.js';
