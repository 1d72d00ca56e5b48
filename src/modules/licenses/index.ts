export { countLicenses } from './repository.js';
export { useLicenses } from './routes.js';
export { ensureDirectory, type LicensePorts } from './service.js';
