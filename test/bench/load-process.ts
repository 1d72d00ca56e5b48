import autocannon from 'autocannon';
import { answerParent } from './child.js';

export interface LoadOrder {
  readonly baseUrl: string;
  /** Asked for in turn. */
  readonly paths: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  /** So many requests instead, however long they take. */
  readonly amount?: number;
  /** What every answer has to be; another one is no result. */
  readonly status: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** It looks this often whether its time is over: by its own default it asks for up to a second longer. */
const LOOK_MS = 50;

/** Asks as much as a server can answer, from a process of its own. */
answerParent({
  async run({ baseUrl, paths, headers, connections, seconds, amount, status }: LoadOrder): Promise<LoadResult> {
    const result = await autocannon({
      url: baseUrl,
      connections,
      ...(amount === undefined ? { duration: seconds } : { amount }),
      sampleInt: LOOK_MS,
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
