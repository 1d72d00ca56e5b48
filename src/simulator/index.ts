/** The door of the BioTrack stand-in. It is used by local mode, by the tests and as a command of its own. */
export { runSimulatorCommand, simulatorUsage } from './command.js';
export { CommandRefused } from './command-refused.js';
export type {
  AddressChange,
  Changed,
  InData,
  NewSite,
  NewVendor,
  OfLicense,
  RowView,
  SimulatorControl,
  UserView,
} from './control.js';
export type { CounterValues, LoginCount } from './counters.js';
export { FAULT_NAMES, type FaultName, type FaultOrder, type FaultParameters, type FaultStatus } from './faults.js';
export { STATE_PROFILES, type StateProfile } from './profiles.js';
export type { LoggedRequest } from './request-log.js';
export type { RowValue } from './row.js';
export type { Settings, SimulatorOptions } from './settings.js';
export { type Simulator, type SimulatorLogin, startSimulator } from './simulator.js';
export { PRIVILEGES, type Privilege, type UserKey } from './users.js';
