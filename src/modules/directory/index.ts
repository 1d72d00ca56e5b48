export {
  type Directory,
  findDirectory,
  findMeaning,
  holdDirectory,
  type Listing,
  selectLicensesOfUbi,
  selectListedLicenses,
  selectListings,
} from './repository.js';
export { createDirectories, type Directories, ListShrunkError } from './service.js';
