export {
  acceptRefused,
  countListed,
  type Directory,
  type DirectoryChanges,
  type FormerOwner,
  findDirectory,
  findMeaning,
  holdDirectory,
  type Listing,
  selectChangesSince,
  selectFormerOwners,
  selectLicensesOfUbi,
  selectListedLicenses,
  selectListings,
} from './repository.js';
export { CrowdedError, createDirectories, type Directories, ListShrunkError } from './service.js';
