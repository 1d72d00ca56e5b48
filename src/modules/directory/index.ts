export {
  type Directory,
  findDirectory,
  holdDirectory,
  selectLicensesOfUbi,
  selectListedLicenses,
} from './repository.js';
export { createDirectories, type Directories, ListShrunkError } from './service.js';
