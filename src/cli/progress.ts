import { MultiBar } from 'cli-progress';
import { ONBOARDING_STEPS, type OnboardingResult, type Standing } from './onboard-tenant.js';
import type { TenantOrder } from './tenant-order.js';
import { type Terminal, toPrintable } from './terminal.js';

/** How the work is shown while it goes on. */
export interface Progress {
  begin(order: TenantOrder): void;
  show(order: TenantOrder, standing: Standing): void;
  end(outcome: OnboardingResult): void;
  /** A line that stays. */
  log(line: string): void;
  stop(): void;
}

type Choice = 'bars' | 'lines' | 'nothing';

export function createProgress(choice: Choice, tenants: number, terminal: Terminal): Progress {
  if (choice === 'bars') return drawBars(tenants, terminal);
  return writeLines(choice === 'lines', tenants, terminal);
}

/** What a tenant is doing, in a few words. */
export function toDoing({ step, done, total, note }: Standing): string {
  if (note !== '') return `${step}: ${note}`;
  return total === 0 ? step : `${step} ${done + 1}/${total}`;
}

/** Each step counts as much as the next; a step with parts counts by its parts. */
export const toPercent = ({ step, done, total }: Standing): number =>
  Math.floor(
    ((ONBOARDING_STEPS.indexOf(step) + (total === 0 ? 0 : Math.min(done / total, 1))) / ONBOARDING_STEPS.length) * 100,
  );

/** For logs and pipes: one line for each step of a single tenant, one for each tenant of many. */
function writeLines(isWanted: boolean, tenants: number, { printError }: Terminal): Progress {
  let ended = 0;
  let last = '';
  return {
    begin: () => {},
    show: ({ name }, standing) => {
      const line = `${toPrintable(name)}: ${toDoing(standing)}`;
      if (!isWanted || tenants > 1 || line === last) return;
      last = line;
      printError(line);
    },
    end: ({ order, isDone }) => {
      ended += 1;
      if (isWanted && tenants > 1 && isDone) printError(`${ended}/${tenants} ${toPrintable(order.name)}: done`);
    },
    log: printError,
    stop: () => {},
  };
}

/** For people: a bar for each tenant at work, and one for all. */
function drawBars(tenants: number, { stream }: Terminal): Progress {
  const bars = new MultiBar({
    stream,
    format: '{name} [{bar}] {percentage}% {doing}',
    barsize: 24,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    clearOnComplete: true,
    // It would take the signal away, and Ctrl-C would end the bars instead of the command.
    gracefulExit: false,
    // Cut to the width of the terminal, instead of changing the terminal.
    linewrap: true,
  });
  const drawn = new Map<string, ReturnType<typeof bars.create>>();
  const whole = tenants > 1 ? bars.create(tenants, 0, { name: toWidth('all tenants'), doing: `0/${tenants}` }) : null;
  let ended = 0;
  return {
    begin({ tenantId, name }) {
      drawn.set(tenantId, bars.create(100, 0, { name: toWidth(name), doing: '' }));
    },
    show({ tenantId }, standing) {
      drawn.get(tenantId)?.update(toPercent(standing), { doing: toDoing(standing) });
    },
    end({ order }) {
      const bar = drawn.get(order.tenantId);
      if (bar !== undefined) bars.remove(bar);
      drawn.delete(order.tenantId);
      ended += 1;
      whole?.update(ended, { doing: `${ended}/${tenants}` });
    },
    log: (line) => bars.log(`${line}\n`),
    stop() {
      // What was logged last is written by the next drawing, which may never come.
      bars.update();
      bars.stop();
    },
  };
}

const NAME_WIDTH = 24;

const toWidth = (name: string): string => {
  const line = toPrintable(name);
  return line.length > NAME_WIDTH ? `${line.slice(0, NAME_WIDTH - 1)}…` : line.padEnd(NAME_WIDTH);
};
