import autocannon from 'autocannon';
import { answerParent } from './child.js';

export interface LoadOptions {
  readonly baseUrl: string;
  /** Requested in rotation. */
  readonly paths: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  /** The number of requests; replaces `seconds`. */
  readonly amount?: number;
  /** The expected status of every response; any other status is an error. */
  readonly status: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** How often autocannon checks whether its time is over. Its default, one second, would exceed short durations. */
const SAMPLE_INTERVAL_MS = 50;

/** Generates load from a separate process. */
answerParent({
  async run({ baseUrl, paths, headers, connections, seconds, amount, status }: LoadOptions): Promise<LoadResult> {
    const result = await autocannon({
      // An ORM may take longer for a page than the default of 10 s.
      timeout: 60,
      url: baseUrl,
      connections,
      ...(amount === undefined ? { duration: seconds } : { amount }),
      sampleInt: SAMPLE_INTERVAL_MS,
      headers: { ...headers },
      requests: paths.map((path) => ({ method: 'GET', path })),
    });
    const counted = Object.entries(result.statusCodeStats as Record<string, { count: number }>);
    const others = counted.filter(([code]) => code !== String(status));
    if (others.length > 0 || result.errors > 0 || counted.length === 0)
      throw new Error(`${baseUrl}${paths[0]}: ${JSON.stringify(result.statusCodeStats)}, ${result.errors} errors`);
    return { perSecond: result.requests.total / result.duration, p99Ms: result.latency.p99 };
  },
});
