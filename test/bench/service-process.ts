import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import type pg from 'pg';
import pino from 'pino';
import { parseStates } from '../../src/biotrack/index.js';
import { Secret } from '../../src/domain/secret.js';
import { type Service, startService } from '../../src/service.js';
import { parseKeyset } from '../../src/vault/index.js';
import { pickPort } from '../helpers/free-port.js';
import { answerParent } from './child.js';

export interface BenchServiceOptions {
  readonly databaseUrl: string;
  readonly simulatorUrl: string;
  readonly keysetFile: string;
  readonly role: 'all' | 'api' | 'worker';
  readonly listCacheMegabytes: number;
}

/**
 * The services of this process by URL. The process is separate from the benchmark, so that its memory and its event loop
 * are those of the service. If it runs several services, only one of them gets requests at a time.
 */
const services = new Map<string, Service>();
let roundTrips = 0;
const counted = new WeakSet<pg.PoolClient>();

function countRoundTrips(client: pg.PoolClient): void {
  if (counted.has(client)) return;
  counted.add(client);
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const counting = (...args: unknown[]): unknown => {
    roundTrips += 1;
    return query(...args);
  };
  Object.assign(client, { query: counting });
}

const delays = monitorEventLoopDelay({ resolution: 5 });

answerParent({
  async start({ databaseUrl, simulatorUrl, keysetFile, role, listCacheMegabytes }: BenchServiceOptions) {
    const environment = { dialect: 'api4', url: simulatorUrl, origin_id: 'bench' };
    const port = await pickPort();
    const publicUrl = `http://127.0.0.1:${port}`;
    const url = new Secret(databaseUrl);
    const service = await startService({
      config: {
        host: '127.0.0.1',
        port,
        metricsPort: 0,
        syncIntervalSeconds: 3_600,
        databasePoolSize: 10,
        role,
        directoryMaxAgeSeconds: 3_600,
        guardRemovalPercent: 10,
        retention: { runsDays: 90, previewsHours: 24, changesDays: 400, auditDays: 730 },
        rateLimits: { perMinute: 100_000_000, unauthenticatedPerMinute: 100_000_000 },
        trustProxy: false,
        corsOrigins: [],
        forcedRefreshSeconds: 0,
        listCacheMegabytes,
      },
      publicUrl,
      databaseUrl: url,
      databaseDirectUrl: url,
      states: parseStates({ NM: { environments: { production: environment } } }),
      keyset: parseKeyset(keysetFile),
      // The default log level, so that the cost of logging is measured.
      logger: pino({ level: 'info' }, pino.destination('/dev/null')),
    });
    service.db.pool.on('acquire', countRoundTrips);
    services.set(publicUrl, service);
    return publicUrl;
  },
  async stop(publicUrl: string) {
    await services.get(publicUrl)?.stop();
    services.delete(publicUrl);
  },
  /** Messages to Postgres since the last call that Postgres answered, those of sweeps included. */
  readRoundTrips() {
    const count = roundTrips;
    roundTrips = 0;
    return count;
  },
  watchEventLoop() {
    delays.reset();
    delays.enable();
  },
  readEventLoopDelayMs() {
    delays.disable();
    return delays.max / 1e6;
  },
  residentBytes: () => process.memoryUsage.rss(),
  peakResidentBytes: () => process.resourceUsage().maxRSS * 1_024,
});
