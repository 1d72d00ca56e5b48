/** The door of the vault: sealing and opening what must not be stored in the clear. */
export {
  addKey,
  createKeysetFile,
  type Keyset,
  KeysetError,
  parseKeyset,
  promoteKey,
  renderKeyset,
  retireKey,
} from './keyset.js';
export { createVault, type SealContext, UnreadableError, type Vault } from './vault.js';
