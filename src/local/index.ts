/** The door of local mode: the service with all that it needs, on one machine, without configuration. */
export { findFreePort, LOCAL_STATE, type Local, startLocal } from './local.js';
export { findLocalFile, type LocalFile, saveLocalFile, toBanner } from './local-file.js';
export { EmbeddedPostgresError, startEmbeddedPostgres } from './postgres.js';
export { hasPostgres } from './postgres-binaries.js';
