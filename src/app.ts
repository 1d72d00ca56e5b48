import type { FastifyBaseLogger } from 'fastify';
import type { Biotrack } from './biotrack/index.js';
import { type Db, pingDatabase } from './db/database.js';
import { CommitUnknownError, isStorageUnavailable } from './db/sqlstate.js';
import { Fault } from './domain/fault.js';
import type { SingleFlight } from './domain/single-flight.js';
import type { RunWithCause } from './http/cause.js';
import { createEventStreams } from './http/event-stream.js';
import { useHealth } from './http/health.js';
import { createListSender } from './http/list-etag.js';
import { createPager } from './http/pages.js';
import type { RequestFacts } from './http/request-log.js';
import { type App, createServer } from './http/server.js';
import { createTokenReader, type TokenOptions } from './http/tokens.js';
import { createKeyring, useApiKeys } from './modules/api-keys/index.js';
import { useChanges } from './modules/changes/index.js';
import { useCompanies } from './modules/companies/index.js';
import { useConfiguration } from './modules/configuration/index.js';
import { useConflicts } from './modules/conflicts/index.js';
import { useCreationPreference } from './modules/creation-preference/index.js';
import { useCredentials, type Verdict } from './modules/credentials/index.js';
import type { Directories } from './modules/directory/index.js';
import { createIdempotencyKeys } from './modules/idempotency/index.js';
import { useLicenses } from './modules/licenses/index.js';
import { useSchedules } from './modules/schedules/index.js';
import { useSetup } from './modules/setup/index.js';
import { useStates } from './modules/states/index.js';
import { useSwitches } from './modules/switches/index.js';
import { useSyncs } from './modules/syncs/index.js';
import { useTenants } from './modules/tenants/index.js';
import { useUbi } from './modules/ubi/index.js';
import { useUsers } from './modules/users/index.js';
import type { Vault } from './vault/index.js';

export interface AppDeps {
  readonly db: Db;
  readonly biotrack: Biotrack;
  readonly vault: Vault;
  readonly directories: Directories;
  readonly trials: SingleFlight<Verdict>;
  /** Aborted when this process is about to end: nobody waits for BioTrack any longer. */
  readonly shutdown: AbortSignal;
  readonly clock: () => Date;
  /** UUIDs in rising order. */
  readonly newId: () => string;
  readonly logger: FastifyBaseLogger;
  /** Undefined: nobody comes with a token. */
  readonly tokens: TokenOptions | undefined;
  /** Requests of one caller that one process takes. */
  readonly rateLimitPerMinute: number;
  /** Of pages of lists, kept to be sent again. */
  readonly listCacheMegabytes: number;
  /** The base of links, without a slash at its end. */
  readonly publicUrl: string;
  readonly syncIntervalSeconds: number;
  readonly onRequestFinished: (facts: RequestFacts) => void;
  /** Lets the database know whose call a change belongs to. */
  readonly withCause: RunWithCause;
}

/** The API: every module by name, on one page. */
export async function buildApp({
  db,
  logger,
  publicUrl,
  tokens,
  rateLimitPerMinute,
  listCacheMegabytes,
  onRequestFinished,
  withCause,
  ...ports
}: AppDeps): Promise<App> {
  const readToken = tokens === undefined ? undefined : createTokenReader(tokens);
  const keyring = createKeyring({ db, now: () => performance.now() });
  const app = await createServer({
    logger,
    publicUrl,
    authenticate: async (token) => (await keyring.authenticate(token)) ?? readToken?.(token),
    idempotencyKeys: createIdempotencyKeys({ db, ...ports }),
    translateError,
    onRequestFinished,
    withCause,
    rateLimitPerMinute,
  });
  const deps = {
    db,
    keyring,
    pager: createPager(publicUrl, ports.vault.deriveKeys('page cursors')),
    sendMarkedList: createListSender(listCacheMegabytes),
    ...ports,
  };
  useHealth(app, () => pingDatabase(db));
  useStates(app, ports.biotrack.states);
  useApiKeys(app, deps);
  useTenants(app, { ...deps, onTenantDeleted: keyring.forgetTenant });
  useSetup(app, deps);
  useConfiguration(app, deps);
  useUbi(app, deps);
  useCreationPreference(app, deps);
  useUsers(app, deps);
  useSwitches(app, deps);
  useCredentials(app, deps);
  useLicenses(app, deps);
  useSyncs(app, { ...deps, streams: createEventStreams(ports.shutdown) });
  useSchedules(app, deps);
  useCompanies(app, deps);
  useConflicts(app, deps);
  useChanges(app, deps);
  return app;
}

/** What the database throws when it is not there, for a caller. */
function translateError(error: unknown): Fault | undefined {
  if (error instanceof CommitUnknownError) {
    const detail = 'It may have been done: the answer was lost. Read it again before you repeat the request.';
    return new Fault('storage_unavailable', detail, { cause: error });
  }
  if (!isStorageUnavailable(error)) return undefined;
  return new Fault('storage_unavailable', 'Nothing was changed. Try again in a moment.', { cause: error });
}
