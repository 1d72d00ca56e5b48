import { createApiClient } from './api.js';
import { each } from './each.js';
import { CliError } from './failure.js';
import { type Flags, parseFlags } from './flags.js';
import { HELP } from './help.js';
import { type Job, prepareJob } from './job.js';
import { type OnboardingResult, onboardTenant } from './onboard-tenant.js';
import { MOST_PATIENCE_MS } from './patience.js';
import { createProgress } from './progress.js';
import { toFailureLine, toFailureReport, toJsonLine, toOutageLines, toWarningLines } from './report.js';
import { toCompaniesTable, toSummaryTable } from './tables.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';

export type { Terminal } from './terminal.js';

/**
 * Onboards tenants from the command line, over the API alone.
 * @returns the exit code: 0 all are done, 1 one failed, 2 called wrongly
 */
export async function onboard(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const flags = parseFlags(args);
    if (flags.switches.has('help')) {
      terminal.print(HELP);
      return 0;
    }
    return await carryOut(await prepareJob(flags, terminal), flags, terminal);
  } catch (error) {
    if (error instanceof CliError) {
      terminal.printError(error.toString());
      return 1;
    }
    if (!(error instanceof UsageError)) throw error;
    for (const line of error.lines) terminal.printError(line);
    terminal.printError('--help tells what there is.');
    return 2;
  }
}

async function carryOut(job: Job, flags: Flags, terminal: Terminal): Promise<number> {
  const { print, printError } = terminal;
  const asJson = flags.switches.has('json');
  const outage = await findOutage(job);
  if (outage !== undefined) {
    // Nobody is onboarded at a service that is not there: people are told once, machines for each tenant.
    const failed = { isDone: false, durationMs: 0, step: 'connect', failure: outage } as const;
    if (asJson) for (const order of job.orders) print(toJsonLine({ order, ...failed }));
    for (const line of toOutageLines(outage, job.isLocal)) printError(line);
    return 1;
  }
  if (job.newTenantId !== undefined) {
    printError(`The tenant ${job.newTenantId} is new. To run this again, say --tenant ${job.newTenantId}`);
  }
  const outcomes = await onboardAll(job, flags, terminal, (outcome) => {
    if (asJson) print(toJsonLine(outcome));
  });
  if (!asJson) printTables(outcomes, print);
  for (const line of [...toWarningLines(outcomes), ...toFailureReport(outcomes)]) printError(line);
  return outcomes.every(({ isDone }) => isDone) ? 0 : 1;
}

/** Asks once whether the service is there and knows the key, before every tenant finds out for itself. */
async function findOutage({ baseUrl, apiKey }: Job): Promise<CliError | undefined> {
  const api = createApiClient({
    baseUrl,
    apiKey,
    patienceMs: MOST_PATIENCE_MS,
    onWait: () => {},
    isFirstContact: true,
  });
  try {
    await api.call((client) => client.GET('/v1/states'));
    return undefined;
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
}

async function onboardAll(
  { baseUrl, apiKey, orders }: Job,
  { switches, concurrency, waitSeconds }: Flags,
  terminal: Terminal,
  tell: (outcome: OnboardingResult) => void,
): Promise<OnboardingResult[]> {
  const progress = createProgress(chooseProgress(switches, terminal), orders.length, terminal);
  try {
    return await each(orders, concurrency, async (order) => {
      progress.begin(order);
      const outcome = await onboardTenant(order, {
        baseUrl,
        apiKey,
        waitMs: waitSeconds * 1_000,
        show: (standing) => progress.show(order, standing),
      });
      progress.end(outcome);
      // A single one is told of at the end, which is now.
      if (!outcome.isDone && orders.length > 1) progress.log(toFailureLine(outcome));
      tell(outcome);
      return outcome;
    });
  } finally {
    progress.stop();
  }
}

function chooseProgress(switches: Flags['switches'], { isInteractive }: Terminal): 'bars' | 'lines' | 'nothing' {
  if (switches.has('no-progress') || switches.has('json')) return 'nothing';
  return isInteractive ? 'bars' : 'lines';
}

function printTables(outcomes: readonly OnboardingResult[], print: Terminal['print']): void {
  print(toSummaryTable(outcomes));
  const [only, ...others] = outcomes;
  if (only?.isDone === true && others.length === 0) print(toCompaniesTable(only.count));
}
