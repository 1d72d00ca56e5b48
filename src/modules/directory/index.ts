export { ListShrunkError } from './publish.js';
export {
  acceptRefusedList,
  countListed,
  type Directory,
  type DirectoryChanges,
  type DirectoryEntry,
  type FormerOwner,
  findDirectory,
  findDirectorySummary,
  findKeyUse,
  lockDirectoryShared,
  selectChangesSince,
  selectFormerOwners,
  selectLicensesOfUbi,
  selectListedLicenses,
  selectListings,
} from './repository.js';
export { createDirectoryService, DirectoryBusyError, type DirectoryService } from './service.js';
