import { MultiBar } from 'cli-progress';
import { ONBOARDING_STEPS, type OnboardingResult, type TenantProgress } from './onboard-tenant.js';
import type { TenantSpec } from './tenant-spec.js';
import { type Terminal, toPrintable } from './terminal.js';

export interface Progress {
  begin(spec: TenantSpec): void;
  show(spec: TenantSpec, progress: TenantProgress): void;
  end(result: OnboardingResult): void;
  /** Prints a line that stays visible. */
  log(line: string): void;
  stop(): void;
}

type Choice = 'bars' | 'lines' | 'nothing';

export function createProgress(choice: Choice, tenants: number, terminal: Terminal): Progress {
  if (choice === 'bars') return createBarProgress(tenants, terminal);
  return createLineProgress(choice === 'lines', tenants, terminal);
}

/** `sync: fetching`, `licenses 2/5` */
export function toActivity({ step, done, total, activity }: TenantProgress): string {
  if (activity !== '') return `${step}: ${activity}`;
  return total === 0 ? step : `${step} ${done + 1}/${total}`;
}

/** All steps have the same weight; within a step its parts count. */
export const toPercent = ({ step, done, total }: TenantProgress): number =>
  Math.floor(
    ((ONBOARDING_STEPS.indexOf(step) + (total === 0 ? 0 : Math.min(done / total, 1))) / ONBOARDING_STEPS.length) * 100,
  );

/** For logs and pipes: one line per step of a single tenant, or one line per tenant. */
function createLineProgress(isWanted: boolean, tenants: number, { printError }: Terminal): Progress {
  let ended = 0;
  let last = '';
  return {
    begin: () => {},
    show: ({ name }, progress) => {
      const line = `${toPrintable(name)}: ${toActivity(progress)}`;
      if (!isWanted || tenants > 1 || line === last) return;
      last = line;
      printError(line);
    },
    end: ({ spec, isDone }) => {
      ended += 1;
      if (isWanted && tenants > 1 && isDone) printError(`${ended}/${tenants} ${toPrintable(spec.name)}: done`);
    },
    log: printError,
    stop: () => {},
  };
}

/** For terminals: a bar for each tenant in progress, and one for all tenants. */
function createBarProgress(tenants: number, { stream }: Terminal): Progress {
  const bars = new MultiBar({
    stream,
    format: '{name} [{bar}] {percentage}% {doing}',
    barsize: 24,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    clearOnComplete: true,
    // Otherwise Ctrl-C would stop the bars instead of the command.
    gracefulExit: false,
    // Otherwise the library disables line wrapping of the terminal.
    linewrap: true,
  });
  const drawn = new Map<string, ReturnType<typeof bars.create>>();
  const whole = tenants > 1 ? bars.create(tenants, 0, { name: toWidth('all tenants'), doing: `0/${tenants}` }) : null;
  let ended = 0;
  return {
    begin({ tenantId, name }) {
      drawn.set(tenantId, bars.create(100, 0, { name: toWidth(name), doing: '' }));
    },
    show({ tenantId }, progress) {
      drawn.get(tenantId)?.update(toPercent(progress), { doing: toActivity(progress) });
    },
    end({ spec }) {
      const bar = drawn.get(spec.tenantId);
      if (bar !== undefined) bars.remove(bar);
      drawn.delete(spec.tenantId);
      ended += 1;
      whole?.update(ended, { doing: `${ended}/${tenants}` });
    },
    log: (line) => bars.log(`${line}\n`),
    stop() {
      // Draws once more, because logged lines are written by the next drawing.
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
