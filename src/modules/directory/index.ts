export {
  type Directory,
  findDirectory,
  holdDirectory,
  selectLicensesOfUbi,
  selectListedLicenses,
} from './repository.js';
export { createDirectories, type Directories } from './service.js';
