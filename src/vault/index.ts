/** Encryption of stored passwords: `seal` encrypts, `open` decrypts. */
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
