/** The public interface of the BioTrack simulator, for local mode, tests, benchmarks and the command line. */
export { runSimulatorCommand, simulatorUsage } from './command.js';
export { CommandError } from './command-error.js';
export type {
  AddressChange,
  ChangeResult,
  DataSetInput,
  FieldValue,
  LicenseTarget,
  NewSite,
  NewVendor,
  RowTarget,
  RowView,
  SimulatorControl,
  UserView,
} from './control.js';
export type { CounterValues, LoginCount } from './counters.js';
export { FAULT_NAMES, type FaultName, type FaultParameters, type FaultRule, type FaultStatus } from './faults.js';
export type { RuntimeOptions, SimulatorOptions } from './options.js';
export { STATE_PROFILES, type StateProfile } from './profiles.js';
export { REFUSAL_NAMES, type RefusalName } from './refusals.js';
export type { LoggedRequest } from './request-log.js';
export type { RowValue, TableName } from './row.js';
export { type Simulator, type SimulatorLogin, startSimulator } from './simulator.js';
export { PRIVILEGES, type Privilege, type UserKey } from './users.js';
