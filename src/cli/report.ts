import type { CliError } from './failure.js';
import type { NotDone, OnboardingResult } from './onboard-tenant.js';
import { toPrintable } from './terminal.js';

type Failed = OnboardingResult & NotDone;

const isFailed = (outcome: OnboardingResult): outcome is Failed => !outcome.isDone;

/** What to do where the service's own words leave it open. */
const ADVICE: Readonly<Record<string, string>> = {
  unauthenticated: 'Check the API key, and that it belongs to this service.',
  forbidden: 'Use an API key of the role operator.',
  credentials_rejected: 'Correct the user name or the password before you run this again: BioTrack may lock the user.',
  preview_required: 'Order the strategy that the tenant has, or switch it through the API.',
  confirmation_required: 'Is it the right tenant id? Another UBI belongs to another tenant.',
  fixed_after_first_sync: 'Is it the right tenant id? Another state or environment belongs to another tenant.',
  unknown_state: 'Name a state and an environment that this service is configured for.',
  needs_review: 'Somebody has to look at the plan of the run and accept or drop it.',
  still_running: 'Run this again later, or with a longer --wait-seconds.',
  unreachable: 'Start the service, or correct the base URL; then run this again.',
};

const AGAIN = 'Mend it and run this again: what is done stays done.';

const toAdvice = ({ code }: CliError): string => ADVICE[code] ?? AGAIN;

/** The line for a service that cannot be used at all. */
export const toOutageLines = (failure: CliError, isLocal: boolean): string[] => [
  failure.toString(),
  isLocal ? 'Start local mode with "npm start" in another terminal; then run this again.' : toAdvice(failure),
];

/** The line of a failed tenant. */
export const toFailureLine = ({ order, step, failure }: Failed): string =>
  `${toPrintable(order.name)} (${order.tenantId}): ${step}: ${failure.toString()}`;

/** What is said at the end: each failed tenant with what to do; nothing where all are done. */
export function toFailureReport(outcomes: readonly OnboardingResult[]): string[] {
  const failed = outcomes.filter(isFailed);
  if (failed.length === 0) return [];
  const lines = failed.flatMap((outcome) => [`  ${toFailureLine(outcome)}`, `    ${toAdvice(outcome.failure)}`]);
  return [`${failed.length} of ${outcomes.length} tenants failed:`, ...lines];
}

/** What the runs warn of, for those that warn. */
export function toWarningLines(outcomes: readonly OnboardingResult[]): string[] {
  return outcomes.flatMap((outcome) => {
    if (!outcome.isDone || outcome.run.warnings.length === 0) return [];
    const counts = new Map<string, number>();
    for (const { code } of outcome.run.warnings) counts.set(code, (counts.get(code) ?? 0) + 1);
    const words = [...counts].map(([code, count]) => `${code} ${count}`).join(', ');
    const total = outcome.run.warnings.length;
    return [`${toPrintable(outcome.order.name)}: ${total} ${total === 1 ? 'warning' : 'warnings'} (${words})`];
  });
}

/** A tenant's outcome for machines: one line of JSON. */
export function toJsonLine(outcome: OnboardingResult): string {
  const { order, durationMs } = outcome;
  const head = { tenant_id: order.tenantId, name: order.name, strategy: order.strategy };
  const duration_ms = Math.round(durationMs);
  if (isFailed(outcome)) {
    const { title, detail, code, status = null, requestId = null } = outcome.failure;
    const failure = { step: outcome.step, title, detail, code, status, request_id: requestId };
    return JSON.stringify({ ...head, status: 'failed', failure, duration_ms });
  }
  const { count, ownLicenses, run } = outcome;
  return JSON.stringify({
    ...head,
    status: 'done',
    companies: count.companies,
    licenses: count.licenses,
    own_licenses: ownLicenses,
    run: { id: run.id, status: run.status, counts: run.counts, warnings: run.warnings.length },
    duration_ms,
  });
}
