export { selectUsers, type User } from './repository.js';
export { useUsers } from './routes.js';
export { requireActiveUser } from './service.js';
