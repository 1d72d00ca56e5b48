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
  selectAcceptedRemovals,
  selectChangesSince,
  selectFormerOwners,
  selectLicensesOfUbi,
  selectListedLicenses,
  selectListings,
  selectRefusedKeys,
} from './repository.js';
export { createDirectoryService, type DirectoryRequest, type DirectoryService } from './service.js';
