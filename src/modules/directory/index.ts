export {
  acceptRefused,
  countListed,
  type Directory,
  type DirectoryChanges,
  type FormerOwner,
  findDirectory,
  holdDirectory,
  selectChangesSince,
  selectFormerOwners,
  selectLicensesOfUbi,
  selectListedLicenses,
} from './repository.js';
export { createDirectories, type Directories, ListShrunkError } from './service.js';
