import Fastify, { type FastifyInstance } from 'fastify';
import { CommandError } from './command-error.js';
import type { SimulatorControl } from './control.js';
import { COMMAND_SCHEMAS, type CommandName, ROWS_QUERY } from './control-schemas.js';

/** The control port: commands of `SimulatorControl` as `POST /command-name` with JSON, getters as `GET /name`. */
export const createControlListener = (control: SimulatorControl): FastifyInstance => {
  const app = Fastify({
    forceCloseConnections: true,
    bodyLimit: 256 * 1_024 * 1_024,
    // Values are never dropped or converted: a UBI sent as a number must fail, not lose its leading zero.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allowUnionTypes: true } },
  });

  app.addHook('preValidation', async (request) => {
    if (request.method === 'POST') request.body ??= {};
  });
  app.setErrorHandler<Error & { statusCode?: number }>(async (error, _request, reply) => {
    const status = error instanceof CommandError ? error.status : (error.statusCode ?? 500);
    await reply.code(status).send({ error: error.message });
  });
  app.setNotFoundHandler(async (_request, reply) => {
    await reply.code(404).send({ error: 'Unknown command. GET / lists all commands.' });
  });

  app.get('/', async () => ({
    read: [...GETTERS.map((name) => `/${name}`), '/rows'],
    commands: COMMANDS.map((name) => `/${toPath(name)}`),
  }));
  for (const name of GETTERS) app.get(`/${name}`, async () => ({ [name]: control[name]() }));
  app.get<{ Querystring: { training?: '0' | '1'; ubi?: string } }>(
    '/rows',
    { schema: { querystring: ROWS_QUERY } },
    async ({ query }) => {
      const rows = control.rows({
        training: query.training === '1',
        ...(query.ubi === undefined ? {} : { ubi: query.ubi }),
      });
      return { rows };
    },
  );
  for (const name of COMMANDS) {
    app.post(`/${toPath(name)}`, { schema: { body: COMMAND_SCHEMAS[name] } }, async ({ body }) => {
      // The schema has validated the body, which the compiler cannot know.
      const command = control[name] as (input: unknown) => unknown;
      return command(body) ?? {};
    });
  }
  return app;
};

const GETTERS = ['counters', 'requests', 'users', 'faults', 'options'] as const;
const COMMANDS = Object.keys(COMMAND_SCHEMAS) as readonly CommandName[];

/** `expireSessions` → `expire-sessions`. */
const toPath = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
