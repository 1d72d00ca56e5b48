export {
  type DirectoryChanges,
  type DirectoryEntry,
  type FormerOwner,
  findKeyUse,
  selectAcceptedRemovals,
  selectChangesSince,
  selectFormerOwners,
  selectLicensesOfUbi,
  selectListedLicenses,
  selectListings,
} from './listing-repository.js';
export { DirectoryBusyError } from './pending-refresh.js';
export { ListShrunkError } from './publish.js';
export {
  acceptRefusedList,
  type Directory,
  findDirectory,
  findDirectorySummary,
  type Removal,
  selectRefusedKeys,
} from './repository.js';
export { createDirectoryService, type DirectoryRequest, type DirectoryService } from './service.js';
