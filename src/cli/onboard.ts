import { createApiClient } from './api-client.js';
import { CliError, toCliError } from './cli-error.js';
import { mapConcurrently } from './concurrency.js';
import { type Flags, parseFlags } from './flags.js';
import { HELP } from './help.js';
import { type Job, prepareJob } from './job.js';
import { type OnboardingResult, onboardTenant } from './onboard-tenant.js';
import { createProgress } from './progress.js';
import { toFailureLine, toFailureReport, toJsonLine, toOutageLines, toWarningLines } from './report.js';
import { toCompaniesTable, toSummaryTable } from './tables.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';

export type { Terminal } from './terminal.js';

/**
 * The onboarding command. It uses the API only.
 * @returns the exit code: 1 if a tenant failed, 2 for invalid arguments or input
 */
export async function onboard(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const flags = parseFlags(args);
    if (flags.switches.has('help')) {
      terminal.print(HELP);
      return 0;
    }
    return await runJob(await prepareJob(flags, terminal), flags, terminal);
  } catch (error) {
    if (error instanceof CliError) {
      terminal.printError(error.toString());
      return 1;
    }
    if (!(error instanceof UsageError)) throw error;
    for (const line of error.lines) terminal.printError(line);
    terminal.printError('Run with --help for usage.');
    return 2;
  }
}

async function runJob(job: Job, flags: Flags, terminal: Terminal): Promise<number> {
  const { print, printError } = terminal;
  const asJson = flags.switches.has('json');
  const outage = await findOutage(job);
  if (outage !== undefined) {
    // One message for users, but one line per tenant with --json.
    const failed = { isDone: false, durationMs: 0, step: 'connect', failure: outage } as const;
    if (asJson) for (const spec of job.specs) print(toJsonLine({ spec, ...failed }));
    for (const line of toOutageLines(outage, job.isLocal)) printError(line);
    return 1;
  }
  if (job.newTenantId !== undefined) {
    printError(`Creating tenant ${job.newTenantId}. To repeat the command for it, add --tenant ${job.newTenantId}`);
  }
  const results = await onboardAll(job, flags, terminal, (result) => {
    if (asJson) print(toJsonLine(result));
  });
  if (!asJson) printTables(results, print);
  for (const line of [...toWarningLines(results), ...toFailureReport(results)]) printError(line);
  return results.every(({ isDone }) => isDone) ? 0 : 1;
}

/** Checks once that the service is reachable and accepts the key, instead of failing for every tenant. */
async function findOutage({ baseUrl, apiKey }: Job): Promise<CliError | undefined> {
  try {
    await createApiClient({ baseUrl, apiKey, isFirstContact: true }).GET('/v1/states');
    return undefined;
  } catch (error) {
    const outage = toCliError(error, baseUrl);
    if (outage === undefined) throw error;
    return outage;
  }
}

async function onboardAll(
  { baseUrl, apiKey, specs }: Job,
  { switches, concurrency, waitSeconds }: Flags,
  terminal: Terminal,
  onResult: (result: OnboardingResult) => void,
): Promise<OnboardingResult[]> {
  const progress = createProgress(chooseProgress(switches, terminal), specs.length, terminal);
  try {
    return await mapConcurrently(specs, concurrency, async (spec) => {
      progress.begin(spec);
      const result = await onboardTenant(spec, {
        baseUrl,
        apiKey,
        waitMs: waitSeconds * 1_000,
        show: (tenantProgress) => progress.show(spec, tenantProgress),
      });
      progress.end(result);
      // The failure of a single tenant is printed once, at the end.
      if (!result.isDone && specs.length > 1) progress.log(toFailureLine(result));
      onResult(result);
      return result;
    });
  } finally {
    progress.stop();
  }
}

function chooseProgress(switches: Flags['switches'], { isInteractive }: Terminal): 'bars' | 'lines' | 'nothing' {
  if (switches.has('no-progress') || switches.has('json')) return 'nothing';
  return isInteractive ? 'bars' : 'lines';
}

function printTables(results: readonly OnboardingResult[], print: Terminal['print']): void {
  print(toSummaryTable(results));
  const [only, ...others] = results;
  if (only?.isDone === true && others.length === 0) print(toCompaniesTable(only.count));
}
