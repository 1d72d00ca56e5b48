import { parseArgs } from 'node:util';
import { CommandError } from './command-error.js';
import type { SimulatorOptions } from './options.js';
import { STATE_PROFILES, type StateProfile } from './profiles.js';
import { type Simulator, startSimulator } from './simulator.js';

export const simulatorUsage = `Simulates the BioTrack system of a state on this machine, with generated data.

Usage: npm run simulator -- [options]

  --state <nm|wa|ct|fl>      state to simulate; fl uses the rest dialect, the others api4 (default: nm)
  --licenses <n>             number of licenses, up to 500000 (default: depends on the state, nm 2100)
  --training-licenses <n>    number of licenses in the training data (default: a tenth, at least 20)
  --seed <n>                 the same seed and calls produce the same bytes (default: 1)
  --host <address>           loopback address to listen on (default: 127.0.0.1)
  --port <n>                 port of the BioTrack API (default: any free port)
  --control-port <n>         port for commands (default: any free port)
  --session-ttl <seconds>    lifetime of a session (default: 3600)
  --one-session-per-user     end a user's earlier session at the next login
  --no-shuffle               fixed key order; build the list once and reuse it
  --shuffle-rows             a different row order in each response
  --no-dirty-rows            no duplicate or blank rows
  --help                     print this help

Press Ctrl-C to stop. For commands and faults, see src/simulator/README.md.`;

/**
 * Starts a simulator from the command line; undefined with `--help`.
 * @throws CommandError if the arguments are invalid, with a message to print
 */
export const runSimulatorCommand = async (
  argv: readonly string[],
  io: { print(line: string): void },
): Promise<Simulator | undefined> => {
  const values = parse(argv);
  if (values.help === true) {
    io.print(simulatorUsage);
    return undefined;
  }
  const simulator = await startSimulator(toOptions(values));
  io.print(`BioTrack simulator: ${simulator.url}`);
  io.print(`Control:            ${simulator.controlUrl}`);
  io.print('Logins (UBI, username, password):');
  for (const { ubi, username, password } of simulator.users) io.print(`  ${ubi}  ${username}  ${password}`);
  io.print(`Rows: ${simulator.control.rows().length}. Press Ctrl-C to stop.`);
  return simulator;
};

const OPTIONS = {
  state: { type: 'string' },
  licenses: { type: 'string' },
  'training-licenses': { type: 'string' },
  seed: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  'control-port': { type: 'string' },
  'session-ttl': { type: 'string' },
  'one-session-per-user': { type: 'boolean' },
  'no-shuffle': { type: 'boolean' },
  'shuffle-rows': { type: 'boolean' },
  'no-dirty-rows': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: false }).values;
  } catch (error) {
    throw new CommandError(`${error instanceof Error ? error.message : error}\nRun with --help for usage.`, 400);
  }
};

const toOptions = (values: ReturnType<typeof parse>): SimulatorOptions => ({
  ...(values.state === undefined ? {} : { state: toState(values.state) }),
  ...number('licenses', '--licenses', values.licenses),
  ...number('trainingLicenses', '--training-licenses', values['training-licenses']),
  ...number('seed', '--seed', values.seed),
  ...(values.host === undefined ? {} : { host: values.host }),
  ...number('port', '--port', values.port),
  ...number('controlPort', '--control-port', values['control-port']),
  ...number('sessionTtlSeconds', '--session-ttl', values['session-ttl']),
  ...(values['one-session-per-user'] === true ? { oneSessionPerUser: true } : {}),
  ...(values['no-shuffle'] === true ? { shuffle: false } : {}),
  ...(values['shuffle-rows'] === true ? { shuffleRows: true } : {}),
  ...(values['no-dirty-rows'] === true ? { dirtyRows: false } : {}),
});

const toState = (text: string): StateProfile => {
  const state = STATE_PROFILES.find((known) => known === text);
  if (state === undefined) throw new CommandError(`--state must be one of ${STATE_PROFILES.join(', ')}`, 400);
  return state;
};

const number = (option: string, flag: string, text: string | undefined): Readonly<Record<string, number>> => {
  if (text === undefined) return {};
  if (!/^\d{1,9}$/.test(text)) throw new CommandError(`${flag} must be a whole number`, 400);
  return { [option]: Number(text) };
};
