import pino from 'pino';
import { type AppDeps, buildApp } from '../../src/app.js';
import { DEFAULT_STATES } from '../../src/biotrack/index.js';
import { createSingleFlight } from '../../src/domain/single-flight.js';

/** The document names no deployment. */
const NEUTRAL_URL = 'http://127.0.0.1:3000';

type Document = Readonly<Record<string, unknown>>;

/** The OpenAPI document of the routes as they are registered, made without a database, a network or a key. */
export async function renderOpenapi(): Promise<string> {
  const app = await buildApp({
    db: untouchable<AppDeps['db']>('the database'),
    biotrack: untouchable<AppDeps['biotrack']>('BioTrack', { states: DEFAULT_STATES }),
    vault: untouchable<AppDeps['vault']>('the vault', { deriveKeys: () => [Buffer.alloc(32)] }),
    directories: untouchable<AppDeps['directories']>('the directories'),
    clock: () => new Date(),
    newId: () => {
      throw new Error('an id was made while the document was');
    },
    logger: pino({ level: 'silent' }),
    shutdown: new AbortController().signal,
    loginAttempts: createSingleFlight(),
    syncIntervalSeconds: 3_600,
    onRequestFinished: () => {},
    withCause: (_cause, rest) => rest(),
    tokens: undefined,
    listCacheMegabytes: 0,
    rateLimitPerMinute: 1,
    publicUrl: NEUTRAL_URL,
  });
  try {
    await app.ready();
    return `${JSON.stringify(arrange(app.swagger() as unknown as Document), null, 2)}\n`;
  } finally {
    await app.close();
  }
}

/** Something that a route may only need when it is called: whoever takes more of it than is known here is refused. */
function untouchable<T extends object>(what: string, known: Partial<T> = {}): T {
  return new Proxy(known, {
    get(target, name) {
      if (name in target) return target[name as keyof T];
      throw new Error(`${what} was touched (${String(name)}) while the document was made`);
    },
  }) as T;
}

/** The order for a reader: what holds for all, then the calls as the routes register them, then the shapes by name. */
function arrange({ openapi, info, servers, tags, security, paths, components, ...others }: Document): Document {
  const { securitySchemes, schemas, ...parts } = components as Readonly<Record<string, Document>>;
  // Fastify lists them as the modules happen to be imported.
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
