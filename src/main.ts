import { type ChildProcess, fork } from 'node:child_process';
import process from 'node:process';
import closeWithGrace, { type Options } from 'close-with-grace';
import { ConfigError, readEnv } from './config.js';
import type { Running } from './serve.js';

// The only file that uses the process: arguments, environment, signals, streams, child processes and the exit code.

const USAGE = `Usage: node dist/main.js [command]

  serve            start the service (npm start); in local mode if DATABASE_URL is not set
  migrate          apply pending migrations to the database of DATABASE_URL (npm run migrate)
  create-keyset    print a new keyset for VAULT_KEYSET_FILE; with --out FILE, write it to a new file that only you can read
  doctor           check the configuration, the database, the keys and the network, and suggest fixes (npm run doctor)
  vault            rotate the keys that seal passwords (npm run vault); see vault --help
  create-api-key   create an operator API key in the database of DATABASE_URL and print it
  invariants       check the data of all tenants for inconsistencies (npm run invariants)
  restart-feeds    after a backup was restored, make clients read the change feeds from the beginning (npm run restart-feeds)
  onboard          set up tenants through the API (npm run onboard); see onboard --help
  simulator        start a BioTrack simulator (npm run simulator); see simulator --help
`;

/** Longer than a request may take; container runtimes typically kill a process after 10 to 30 seconds. */
const SHUTDOWN_MS = 14_000;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const printError = (line: string): void => void process.stderr.write(`${line}\n`);

type Command = (args: readonly string[]) => Promise<void>;

// Each command imports only what it needs: the onboarding command loads no database driver.
const COMMANDS: Readonly<Record<string, Command>> = {
  async serve([parent]) {
    // Before the import, so that configuration errors appear at once.
    const environment = readEnv(process.env);
    const { serve } = await import('./serve.js');
    const running = await serve(environment, { print, forkWorker });
    if (parent === FORKED) stopWithParent(running);
    else stopOnSignal(running);
  },
  async migrate() {
    const { migrateConfigured } = await import('./operate.js');
    await migrateConfigured(readEnv(process.env), print);
  },
  async 'create-keyset'(args) {
    const { createKeyset } = await import('./create-keyset.js');
    await createKeyset(args, print);
  },
  async 'create-api-key'(args) {
    const { createOperatorKey } = await import('./operate.js');
    await createOperatorKey(readEnv(process.env), args.join(' ') || 'created on the command line', print);
  },
  async doctor() {
    const { runDoctor } = await import('./doctor.js');
    process.exitCode = await runDoctor(process.env, print);
  },
  async vault(args) {
    const { rotateKeys } = await import('./rotate.js');
    process.exitCode = await rotateKeys(readEnv(process.env), args, { print, printError });
  },
  async invariants() {
    const { checkInvariants } = await import('./operate.js');
    process.exitCode = await checkInvariants(readEnv(process.env), print);
  },
  async 'restart-feeds'() {
    const { restartFeeds } = await import('./operate.js');
    await restartFeeds(readEnv(process.env), print);
  },
  async onboard(args) {
    const { onboard } = await import('./cli/onboard.js');
    const { dataDir } = readEnv({ DATA_DIR: process.env.DATA_DIR }).config;
    const { env, stdin: input, stderr: stream } = process;
    const isInteractive = stream.isTTY === true;
    process.exitCode = await onboard(args, { env, dataDir, print, printError, isInteractive, stream, input });
  },
  async simulator(args) {
    const { CommandError, runSimulatorCommand } = await import('./simulator/index.js');
    try {
      const simulator = await runSimulatorCommand(args, { print });
      if (simulator !== undefined) stopOnSignal({ stop: () => simulator.close() });
    } catch (error) {
      const isPortTaken = error instanceof Error && 'syscall' in error && error.syscall === 'listen';
      if (!(error instanceof CommandError || isPortTaken)) throw error;
      printError(error.message);
      process.exitCode = 2;
    }
  },
};

/** Enough for several complete plans of 100,000 licenses. `NODE_OPTIONS` overrides it. */
const WORKER_HEAP_MB = 1_024;

/** Argument of a process that was started by `forkWorker`. */
const FORKED = 'forked';

/**
 * Starts the worker process.
 * @param variables - in addition to the environment of this process
 * @param output - file descriptor for its log; standard output by default
 */
function forkWorker(variables: Readonly<Record<string, string>>, output?: number): ChildProcess {
  // In a container, both processes must fit. Without a limit, V8 takes much of a large machine before it collects earlier plans.
  const memoryMb = (process.constrainedMemory() || Number.MAX_SAFE_INTEGER) / 2 ** 20;
  const heapMb = Math.floor(Math.min(WORKER_HEAP_MB, memoryMb / 2));
  const options = `--max-old-space-size=${heapMb} ${process.env.NODE_OPTIONS ?? ''}`;
  return fork(process.argv[1] as string, ['serve', FORKED], {
    env: { ...process.env, ...variables, ROLE: 'worker', METRICS_PORT: '0', NODE_OPTIONS: options },
    // Two processes cannot have one inspector port.
    execArgv: process.execArgv.filter((option) => !option.startsWith('--inspect')),
    stdio: ['ignore', output ?? 'inherit', 'inherit', 'ipc'],
    // Ctrl-C reaches this process only, which then stops the worker process.
    detached: true,
  });
}

/** Sends metrics when asked, and stops when the parent closes the channel or ends. Signals are for the parent. */
function stopWithParent(running: Running): void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, () => {});
  const stop = stopGracefully(running, { skip: [...signals] });
  process.once('disconnect', stop);
  process.on('message', async () => {
    const metrics = await running.metrics.collect();
    if (process.connected) process.send?.(metrics, undefined, undefined, () => {});
  });
  if (!process.connected) stop();
}

/** Stops gracefully on the first SIGINT or SIGTERM; exits at once on the second, or after SHUTDOWN_MS. */
const stopOnSignal = (running: Stoppable): void => void stopGracefully(running);

interface Stoppable {
  stop(): Promise<void>;
}

/** @returns a function that stops without a signal */
function stopGracefully(running: Stoppable, options: Pick<Options, 'skip'> = {}): () => void {
  const { close } = closeWithGrace({ ...options, delay: SHUTDOWN_MS, logger: false }, async ({ err }) => {
    if (err !== undefined) printError(err.stack ?? String(err));
    await running.stop();
  });
  return close;
}

const [name = 'serve', ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (name === '--help' || name === '-h') {
  print(USAGE);
} else if (command === undefined) {
  printError(USAGE);
  process.exitCode = 2;
} else {
  try {
    await command(args);
  } catch (error) {
    printError(
      error instanceof ConfigError ? error.message : error instanceof Error ? (error.stack ?? '') : String(error),
    );
    process.exit(1);
  }
}
