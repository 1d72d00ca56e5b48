import { parseArgs } from 'node:util';
import { CommandRefused } from './command-refused.js';
import { STATE_PROFILES, type StateProfile } from './profiles.js';
import type { SimulatorOptions } from './settings.js';
import { type Simulator, startSimulator } from './simulator.js';

export const simulatorUsage = `Plays a state's BioTrack on this machine, with invented data. Loopback only.

Usage: npm run simulator -- [options]

  --state <nm|wa|ct|fl>      which state it plays (nm); fl speaks the rest dialect, the others api4
  --licenses <n>             how many licenses the state has (by state; nm 2100), up to 500000
  --training-licenses <n>    the same for the training data (a tenth, at least 20)
  --seed <n>                 the same seed and the same calls give the same bytes (1)
  --host <address>           a loopback address (127.0.0.1)
  --port <n>                 where BioTrack answers (0 = any free port)
  --control-port <n>         where commands are taken (0 = any free port)
  --session-ttl <seconds>    how long a session lives (3600)
  --one-session-per-user     a login ends the user's earlier session
  --no-shuffle               fixed key order; the list is built once and kept
  --shuffle-rows             row order differs from answer to answer
  --no-dirty-rows            no duplicates, no blanks
  --help                     this text

Stop it with Ctrl-C. Commands and faults: src/simulator/README.md.`;

/** Starts a simulator from the command line. Wrong arguments throw `CommandRefused`, with a sentence to show. */
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
  io.print(`Rows: ${simulator.control.rows().length}. Stop with Ctrl-C.`);
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
    throw new CommandRefused(`${error instanceof Error ? error.message : error}\nTry --help.`, 400);
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
  if (state === undefined) throw new CommandRefused(`--state is one of ${STATE_PROFILES.join(', ')}`, 400);
  return state;
};

const number = (option: string, flag: string, text: string | undefined): Readonly<Record<string, number>> => {
  if (text === undefined) return {};
  if (!/^\d{1,9}$/.test(text)) throw new CommandRefused(`${flag} is a whole number`, 400);
  return { [option]: Number(text) };
};
