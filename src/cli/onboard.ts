import { createApi } from './api.js';
import { each } from './each.js';
import { Failure } from './failure.js';
import { parseFlags } from './flags.js';
import { HELP } from './help.js';
import { type Job, prepareJob } from './job.js';
import { type Outcome, onboardTenant } from './onboard-tenant.js';
import { createProgress, type Progress } from './progress.js';
import { toFailureLine, toFailureReport, toJsonLine, toWarningLines } from './report.js';
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
    const job = await prepareJob(flags, terminal);
    const asJson = flags.switches.has('json');
    const choice = chooseProgress(flags.switches, terminal);
    const progress = createProgress(choice, job.orders.length, terminal);
    const print = asJson ? (outcome: Outcome) => terminal.print(toJsonLine(outcome)) : () => {};
    const waitMs = flags.waitSeconds * 1_000;
    if (job.newTenantId !== undefined) terminal.complain(`Tenant ${job.newTenantId} is new; run this again with --tenant ${job.newTenantId}.`);
    const outcomes = await run(job, flags.concurrency, waitMs, progress, print);
    if (!asJson) printTables(outcomes, terminal);
    for (const line of [...toWarningLines(outcomes), ...toFailureReport(outcomes)]) terminal.complain(line);
    return outcomes.every(({ isDone }) => isDone) ? 0 : 1;
  } catch (error) {
    if (error instanceof Failure) {
      terminal.complain(error.toString());
      return 1;
    }
    if (!(error instanceof UsageError)) throw error;
    for (const line of error.lines) terminal.complain(line);
    terminal.complain('--help tells what there is.');
    return 2;
  }
}

const chooseProgress = (switches: ReadonlySet<string>, { isInteractive }: Terminal): 'bars' | 'lines' | 'nothing' => {
  if (switches.has('no-progress')) return 'nothing';
  if (isInteractive) return 'bars';
  return switches.has('json') ? 'nothing' : 'lines';
};

async function run(
  job: Job,
  concurrency: number,
  waitMs: number,
  progress: Progress,
  print: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const { baseUrl, apiKey, orders, isLocal } = job;
  const away = await findOutage(job);
  if (away !== undefined) {
    // Nobody is onboarded at a service that is not there: said once, not for each tenant.
    throw isLocal ? away : away;
  }
  try {
    return await each(orders, concurrency, async (order) => {
      progress.begin(order);
      const show = (standing: Parameters<Progress['show']>[1]): void => progress.show(order, standing);
      const outcome = await onboardTenant(order, { baseUrl, apiKey, waitMs, show });
      progress.end(outcome);
      if (!outcome.isDone && orders.length > 1) progress.log(toFailureLine(outcome));
      print(outcome);
      return outcome;
    });
  } finally {
    progress.stop();
  }
}
