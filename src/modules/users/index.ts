export { selectUsers, type User } from './repository.js';
export { registerUsersRoutes } from './routes.js';
export { requireActiveUser } from './service.js';
