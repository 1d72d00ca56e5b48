import process from 'node:process';
import closeWithGrace from 'close-with-grace';
import { ConfigError, readEnv } from './config.js';

/** Birth and death: the only file that knows the process. */

const USAGE = `Usage: node dist/main.js [command]

  serve            the service (npm start); without DATABASE_URL in local mode
  migrate          bring the database of DATABASE_URL up to date (npm run migrate)
  create-keyset    print a new keyset, the content of VAULT_KEYSET_FILE
  doctor           check configuration, database, keys and BioTrack's addresses, and tell what to do (npm run doctor)
  vault            rotate the keys that seal passwords (npm run vault); --help tells more
  create-api-key   make an operator's key for the database of DATABASE_URL; prints it once
  invariants       look for what must never be so, in all tenants of the database (npm run invariants)
  onboard          set tenants up over the API (npm run onboard); --help tells more
  simulator        play a state's BioTrack (npm run simulator); --help tells more
`;

/** Longer than a request may take to finish; whoever ends us kills us after about this time. */
const SHUTDOWN_MS = 14_000;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

type Command = (args: readonly string[]) => Promise<void>;

// Loaded when asked for: a command line client needs no database driver.
const COMMANDS: Readonly<Record<string, Command>> = {
  async serve() {
    // Before the rest is loaded: what is wrong is said at once.
    const environment = readEnv(process.env);
    const { serve } = await import('./serve.js');
    untilSignal(await serve(environment, print));
  },
  async migrate() {
    const { migrateConfigured } = await import('./operate.js');
    await migrateConfigured(readEnv(process.env), print);
  },
  async 'create-keyset'() {
    const { createKeysetFile } = await import('./vault/index.js');
    process.stdout.write(createKeysetFile(new Date().toISOString().slice(0, 10)));
  },
  async 'create-api-key'(args) {
    const { createOperatorKey } = await import('./operate.js');
    await createOperatorKey(readEnv(process.env), args.join(' ') || 'made on the command line', print);
  },
  async doctor() {
    const { runDoctor } = await import('./doctor.js');
    process.exitCode = await runDoctor(process.env, print);
  },
  async vault(args) {
    const { rotateKeys } = await import('./rotate.js');
    process.exitCode = await rotateKeys(readEnv(process.env), args, print, complain);
  },
  async invariants() {
    const { checkInvariants } = await import('./operate.js');
    process.exitCode = await checkInvariants(readEnv(process.env), print);
  },
  async onboard(args) {
    const { onboard } = await import('./cli/onboard.js');
    const { dataDir } = readEnv({ DATA_DIR: process.env.DATA_DIR }).config;
    const { env, stdin: input, stderr: stream } = process;
    const isInteractive = stream.isTTY === true;
    process.exitCode = await onboard(args, { env, dataDir, print, complain, isInteractive, stream, input });
  },
  async simulator(args) {
    const { CommandRefused, runSimulatorCommand } = await import('./simulator/index.js');
    try {
      const simulator = await runSimulatorCommand(args, { print });
      if (simulator !== undefined) untilSignal({ stop: () => simulator.close() });
    } catch (error) {
      const isTaken = error instanceof Error && 'syscall' in error && error.syscall === 'listen';
      if (!(error instanceof CommandRefused || isTaken)) throw error;
      complain(error.message);
      process.exitCode = 2;
    }
  },
};

/** Ends what runs at the first SIGINT or SIGTERM; a second one, or too long a wait, ends the process as it is. */
function untilSignal(running: { stop(): Promise<void> }): void {
  closeWithGrace({ delay: SHUTDOWN_MS, logger: false }, async ({ err }) => {
    if (err !== undefined) complain(err.stack ?? String(err));
    await running.stop();
  });
}

const [name = 'serve', ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (name === '--help' || name === '-h') {
  print(USAGE);
} else if (command === undefined) {
  complain(USAGE);
  process.exitCode = 2;
} else {
  try {
    await command(args);
  } catch (error) {
    complain(
      error instanceof ConfigError ? error.message : error instanceof Error ? (error.stack ?? '') : String(error),
    );
    process.exit(1);
  }
}
