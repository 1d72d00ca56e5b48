import pino from 'pino';
import { type AppDeps, buildApp } from '../../src/app.js';
import { DEFAULT_STATES } from '../../src/biotrack/index.js';
import { createSingleFlight } from '../../src/domain/single-flight.js';
import { readVersion } from '../../src/version.js';

/** A placeholder, because the document belongs to no deployment. */
const NEUTRAL_URL = 'http://127.0.0.1:3000';

type Document = Readonly<Record<string, unknown>>;

/** Renders the OpenAPI document of the registered routes, without a database, network or keys. */
export async function renderOpenapi(): Promise<string> {
  const app = await buildApp({
    db: unusable<AppDeps['db']>('the database'),
    biotrack: unusable<AppDeps['biotrack']>('BioTrack', { states: DEFAULT_STATES }),
    vault: unusable<AppDeps['vault']>('the vault', { deriveKeys: () => [Buffer.alloc(32)] }),
    directories: unusable<AppDeps['directories']>('the directories'),
    clock: () => new Date(),
    newId: () => {
      throw new Error('an id was generated while the document was rendered');
    },
    logger: pino({ level: 'silent' }),
    shutdown: new AbortController().signal,
    loginAttempts: createSingleFlight(),
    syncIntervalSeconds: 3_600,
    onRequestFinished: () => {},
    runWithContext: (_context, rest) => rest(),
    tokens: undefined,
    listCacheMegabytes: 0,
    rateLimits: { perMinute: 1, unauthenticatedPerMinute: 1 },
    trustProxy: false,
    corsOrigins: [],
    version: readVersion(),
    databaseConnections: 1,
    forcedRefreshSeconds: 0,
    publicUrl: NEUTRAL_URL,
  });
  try {
    await app.ready();
    return `${JSON.stringify(sortDocument(app.swagger() as unknown as Document), null, 2)}\n`;
  } finally {
    await app.close();
  }
}

/** A stand-in for a dependency that routes use only during requests; any other access throws. */
function unusable<T extends object>(what: string, known: Partial<T> = {}): T {
  return new Proxy(known, {
    get(target, name) {
      if (name in target) return target[name as keyof T];
      throw new Error(`${what} was used (${String(name)}) while the document was rendered`);
    },
  }) as T;
}

/** Orders the document for readers: general parts, operations in order of registration, then schemas by name. */
function sortDocument({ openapi, info, servers, tags, security, paths, components, ...others }: Document): Document {
  const { securitySchemes, schemas, ...parts } = components as Readonly<Record<string, Document>>;
  // Fastify lists schemas in the order of imports.
  const byName = Object.fromEntries(Object.entries(schemas ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    openapi,
    info,
    servers,
    tags,
    security,
    paths,
    components: { securitySchemes, schemas: byName, ...parts },
    ...others,
  };
}
