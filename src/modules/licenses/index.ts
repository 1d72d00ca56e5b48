export { countLicenses } from './repository.js';
export { useLicenses } from './routes.js';
