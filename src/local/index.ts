/** Local mode: an embedded Postgres, a BioTrack simulator, demo data and an example page, without configuration. */
export { createDemoHost } from './demo-host.js';
export { findFreePort } from './free-port.js';
export { LOCAL_STATE, type Local, startLocal } from './local.js';
export { findLocalFile, type LocalFile, saveLocalFile, toBanner } from './local-file.js';
export { findPageFolder, type PageServer, startPageServer } from './page-server.js';
export { EmbeddedPostgresError, startEmbeddedPostgres } from './postgres.js';
export { hasPostgres } from './postgres-binaries.js';
