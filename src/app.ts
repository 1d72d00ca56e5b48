import type { FastifyBaseLogger } from 'fastify';
import type { Biotrack } from './biotrack/index.js';
import { type Db, pingDatabase } from './db/database.js';
import { CommitUnknownError, isStorageUnavailable } from './db/sqlstate.js';
import { ServiceError } from './domain/service-error.js';
import type { SingleFlight } from './domain/single-flight.js';
import { createEventStreams } from './http/event-stream.js';
import { registerHealth } from './http/health.js';
import { createListRoutes } from './http/list-route.js';
import { createPager } from './http/pages.js';
import type { RateLimits } from './http/rate-limit.js';
import type { RunWithContext } from './http/request-context.js';
import type { RequestFacts } from './http/request-log.js';
import { type App, createServer, type ServerOptions } from './http/server.js';
import { createTokenReader, type TokenOptions } from './http/tokens.js';
import { createKeyring, registerApiKeysRoutes } from './modules/api-keys/index.js';
import { registerChangesRoutes } from './modules/changes/index.js';
import { registerCompaniesRoutes } from './modules/companies/index.js';
import { registerConfigurationRoutes } from './modules/configuration/index.js';
import { registerConflictsRoutes } from './modules/conflicts/index.js';
import { registerCreationPreferenceRoutes } from './modules/creation-preference/index.js';
import {
  deleteCredentialsOfUser,
  type LoginResult,
  registerCredentialsRoutes,
  resetVerification,
} from './modules/credentials/index.js';
import type { DirectoryService } from './modules/directory/index.js';
import { createIdempotencyStore } from './modules/idempotency/index.js';
import { createListFailures, registerLicensesRoutes } from './modules/licenses/index.js';
import { registerOverviewRoutes } from './modules/overview/index.js';
import { registerSchedulesRoutes } from './modules/schedules/index.js';
import { registerSetupRoutes } from './modules/setup/index.js';
import { registerStatesRoutes } from './modules/states/index.js';
import { registerSwitchesRoutes } from './modules/switches/index.js';
import { createEventTickets, registerSyncsRoutes, replaceRequester } from './modules/syncs/index.js';
import { registerTenantsRoutes } from './modules/tenants/index.js';
import { registerUbiRoutes } from './modules/ubi/index.js';
import { createUserTracker, registerUsersRoutes } from './modules/users/index.js';
import { deleteAllCompanies } from './plans/index.js';
import type { Vault } from './vault/index.js';

export interface AppDeps {
  readonly db: Db;
  readonly biotrack: Biotrack;
  readonly vault: Vault;
  readonly directories: DirectoryService;
  readonly loginAttempts: SingleFlight<LoginResult>;
  /** Aborted at shutdown, to cancel pending BioTrack requests and event streams. */
  readonly shutdown: AbortSignal;
  readonly clock: () => Date;
  /** Returns UUIDs in ascending order. */
  readonly newId: () => string;
  readonly logger: FastifyBaseLogger;
  /** How to verify JWTs. Undefined to accept API keys only. */
  readonly tokens: TokenOptions | undefined;
  readonly rateLimits: RateLimits;
  /** Of the pool of `db`. */
  readonly databaseConnections: number;
  /** See `ServerOptions`. */
  readonly trustProxy: ServerOptions['trustProxy'];
  /** See `ServerOptions`. */
  readonly corsOrigins: ServerOptions['corsOrigins'];
  /** Of the package. */
  readonly version: string;
  /** The size of the cache for list pages. */
  readonly listCacheMegabytes: number;
  /** The base of links, without a trailing slash. */
  readonly publicUrl: string;
  readonly syncIntervalSeconds: number;
  /** Minimum time between two forced refreshes of a tenant; 0: no minimum. */
  readonly forcedRefreshSeconds: number;
  readonly onRequestFinished: (facts: RequestFacts) => void;
  /** Passes the context of a request to the audit log. */
  readonly runWithContext: RunWithContext;
}

/** Builds the API from all modules. */
export async function buildApp({
  db,
  logger,
  publicUrl,
  tokens,
  rateLimits,
  trustProxy,
  databaseConnections,
  corsOrigins,
  version,
  listCacheMegabytes,
  onRequestFinished,
  runWithContext,
  ...ports
}: AppDeps): Promise<App> {
  const readToken = tokens === undefined ? undefined : createTokenReader(tokens);
  const keyring = createKeyring({ db, now: () => performance.now() });
  const tracker = createUserTracker(db);
  const tickets = createEventTickets(db, ports.vault.deriveKeys('event tickets'));
  const app = await createServer({
    logger,
    publicUrl,
    authentication: {
      authenticate: async (token) => (await keyring.authenticate(token)) ?? readToken?.(token),
      requireActive: tracker.requireActive,
      tickets,
    },
    databaseConnections,
    idempotencyKeys: createIdempotencyStore({ db, ...ports }),
    translateError,
    onRequestFinished,
    runWithContext,
    rateLimits,
    trustProxy,
    corsOrigins,
    version,
  });
  const deps = {
    db,
    keyring,
    lists: createListRoutes(createPager(publicUrl, ports.vault.deriveKeys('page cursors')), listCacheMegabytes),
    listFailures: createListFailures(),
    ...ports,
  };
  registerHealth(app, () => pingDatabase(db));
  registerStatesRoutes(app, ports.biotrack.states);
  registerApiKeysRoutes(app, deps);
  registerTenantsRoutes(app, { ...deps, resetVerification, deleteAllCompanies, onTenantDeleted: keyring.forgetTenant });
  registerSetupRoutes(app, deps);
  registerOverviewRoutes(app, deps);
  registerConfigurationRoutes(app, deps);
  registerUbiRoutes(app, { ...deps, resetVerification });
  registerCreationPreferenceRoutes(app, deps);
  registerUsersRoutes(app, { ...deps, tracker, deleteCredentialsOfUser, replaceRequester });
  registerSwitchesRoutes(app, deps);
  registerCredentialsRoutes(app, deps);
  registerLicensesRoutes(app, deps);
  registerSyncsRoutes(app, { ...deps, tickets, publicUrl, streams: createEventStreams(ports.shutdown) });
  registerSchedulesRoutes(app, deps);
  registerCompaniesRoutes(app, deps);
  registerConflictsRoutes(app, deps);
  registerChangesRoutes(app, deps);
  return app;
}

/** Converts database failures to errors for the caller. */
function translateError(error: unknown): ServiceError | undefined {
  if (error instanceof CommitUnknownError) {
    const detail = 'It is unknown whether the changes were saved. Read the current state before you retry.';
    return new ServiceError('storage_unavailable', detail, { cause: error });
  }
  if (!isStorageUnavailable(error)) return undefined;
  return new ServiceError('storage_unavailable', 'Nothing was changed. Retry in a moment.', { cause: error });
}
