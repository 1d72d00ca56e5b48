/** Local mode: an embedded Postgres, a BioTrack simulator and demo data, without configuration. */
export { findFreePort } from './free-port.js';
export { LOCAL_STATE, type Local, startLocal } from './local.js';
export { findLocalFile, type LocalFile, saveLocalFile, toBanner } from './local-file.js';
export { EmbeddedPostgresError, startEmbeddedPostgres } from './postgres.js';
export { hasPostgres } from './postgres-binaries.js';
