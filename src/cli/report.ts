import type { CliError } from './cli-error.js';
import type { OnboardingFailure, OnboardingResult } from './onboard-tenant.js';
import { toPrintable } from './terminal.js';

type Failed = OnboardingResult & OnboardingFailure;

const isFailed = (result: OnboardingResult): result is Failed => !result.isDone;

/** The next step for error codes whose detail does not say it. */
const ADVICE: Readonly<Record<string, string>> = {
  unauthenticated: 'Check that the API key is correct and belongs to this service.',
  forbidden: 'Use an API key with the role operator.',
  credentials_rejected:
    'Correct the username or password before you run the command again: BioTrack may lock the user.',
  login_refused: 'Ask the administrator of the BioTrack account before you run the command again.',
  logins_held: 'Check the username and password, then run the command again in an hour.',
  preview_required: 'Use the strategy that the tenant has, or switch it through the API.',
  confirmation_required: 'Check the tenant ID. A company with another UBI needs another tenant.',
  fixed_after_first_sync: 'Check the tenant ID. Another state or environment needs another tenant.',
  unknown_state: 'Use a state and an environment for which this service is configured.',
  needs_review: 'A user has to review the plan of the run and accept or discard it.',
  still_running: 'Run the command again later, or with a longer --wait-seconds.',
  unreachable: 'Start the service or correct the base URL, then run the command again.',
};

const DEFAULT_ADVICE = 'Fix the problem and run the command again. Steps that are done are skipped.';

const toAdvice = ({ code }: CliError): string => ADVICE[code] ?? DEFAULT_ADVICE;

/** For a service that cannot be used at all. */
export const toOutageLines = (failure: CliError, isLocal: boolean): string[] => [
  failure.toString(),
  isLocal ? 'Start local mode with "npm start" in another terminal; then run the command again.' : toAdvice(failure),
];

export const toFailureLine = ({ spec, step, failure }: Failed): string =>
  `${toPrintable(spec.name)} (${spec.tenantId}): ${step}: ${failure.toString()}`;

/** The failed tenants with advice; empty if none failed. */
export function toFailureReport(results: readonly OnboardingResult[]): string[] {
  const failed = results.filter(isFailed);
  if (failed.length === 0) return [];
  const lines = failed.flatMap((result) => [`  ${toFailureLine(result)}`, `    ${toAdvice(result.failure)}`]);
  return [`${failed.length} of ${results.length} tenants failed:`, ...lines];
}

/** One line per run with warnings. */
export function toWarningLines(results: readonly OnboardingResult[]): string[] {
  return results.flatMap((result) => {
    if (!result.isDone || result.run.warnings.length === 0) return [];
    const counts = new Map<string, number>();
    for (const { code } of result.run.warnings) counts.set(code, (counts.get(code) ?? 0) + 1);
    const words = [...counts].map(([code, count]) => `${code} ${count}`).join(', ');
    const total = result.run.warnings.length;
    return [`${toPrintable(result.spec.name)}: ${total} ${total === 1 ? 'warning' : 'warnings'} (${words})`];
  });
}

/** The line of a tenant with --json. */
export function toJsonLine(result: OnboardingResult): string {
  const { spec, durationMs } = result;
  const head = { tenant_id: spec.tenantId, name: spec.name, strategy: spec.strategy };
  const duration_ms = Math.round(durationMs);
  if (isFailed(result)) {
    const { title, detail, code, status = null, requestId = null } = result.failure;
    const failure = { step: result.step, title, detail, code, status, request_id: requestId };
    return JSON.stringify({ ...head, status: 'failed', failure, duration_ms });
  }
  const { count, ownLicenses, run } = result;
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
