export { DirectoryBusyError } from './pending-refresh.js';
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
  selectChangesSince,
  selectFormerOwners,
  selectLicensesOfUbi,
  selectListedLicenses,
  selectListings,
} from './repository.js';
export { createDirectoryService, type DirectoryService } from './service.js';
