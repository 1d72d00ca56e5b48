export { registerSetupRoutes, toSetupReply } from './routes.js';
export { type LoadedSetup, loadSetup, type SetupPorts } from './service.js';
