export { createCallerHook } from './caller-check.js';
export { findUser, selectUsers, type User } from './repository.js';
export { registerUsersRoutes } from './routes.js';
export { createUserTracker, requireActiveUser } from './service.js';
