import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import compress from '@fastify/compress';
import helmet from '@fastify/helmet';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type RawServerDefault } from 'fastify';
import type { IdempotencyStore } from '../domain/idempotency.js';
import { ERRORS, ServiceError } from '../domain/service-error.js';
import { type AuthOptions, registerAuth, registerPolicy } from './auth.js';
import { registerCors } from './cors.js';
import { registerDrain } from './drain.js';
import { handleFrameworkError, registerErrorHandler, type TranslateError } from './error-handler.js';
import { registerEtags } from './etag.js';
import { registerIdempotency } from './idempotency.js';
import { createInFlight } from './in-flight.js';
import { registerStrictJson } from './json-body.js';
import { collectMethods } from './methods.js';
import { registerOpenapi } from './openapi.js';
import { BODY_LIMIT, OPTIONAL_BODY } from './operation.js';
import { listNamedSchemas } from './primitives.js';
import { PROBLEM_TYPE, toProblem } from './problem.js';
import { createRateLimits, type RateLimits } from './rate-limit.js';
import { type RunWithContext, registerRequestContext } from './request-context.js';
import { type RequestFacts, registerRequestLog } from './request-log.js';
import { buildSerializer } from './serializer.js';
import { registerStrictValidation } from './validation.js';

/** Fastify with request and response types derived from the schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface ServerOptions {
  readonly logger: FastifyBaseLogger;
  readonly publicUrl: string;
  readonly authentication: Omit<AuthOptions, 'countRejected'>;
  readonly rateLimits: RateLimits;
  /** The proxies whose `X-Forwarded-For` has the address of the caller: addresses and networks. False: none. */
  readonly trustProxy: string | false;
  /** Origins whose pages may call the API. */
  readonly corsOrigins: readonly string[];
  /** Of the package, for the OpenAPI document. */
  readonly version: string;
  /** Of the database pool. */
  readonly databaseConnections: number;
  readonly idempotencyKeys: IdempotencyStore;
  readonly translateError: TranslateError;
  readonly onRequestFinished: (facts: RequestFacts) => void;
  readonly runWithContext: RunWithContext;
}

const BODY_LIMIT_BYTES = 64 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** How often Node checks for timeouts. Its default of 30 s would double the request timeout. */
const CONNECTIONS_CHECKING_INTERVAL_MS = 1_000;
/** A reader that takes no byte of a response for this long is closed: after twice as long at the latest, because Node waits once more. */
const READ_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const MAX_URL_LENGTH = 8_000;
/** Smaller responses would hardly become smaller. */
const COMPRESSED_FROM_BYTES = 1_024;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

export async function createServer(options: ServerOptions): Promise<App> {
  const app = Fastify({
    loggerInstance: options.logger,
    // Replaced by `registerRequestLog`.
    logController: new Fastify.LogController({ disableRequestLogging: true, requestIdLogLabel: 'request.id' }),
    trustProxy: options.trustProxy,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: CONNECTIONS_CHECKING_INTERVAL_MS },
    forceCloseConnections: 'idle',
    // Serve requests that arrive while closing; Fastify's own 503 is not a documented response.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    genReqId: ({ headers: { 'x-request-id': id } }) =>
      typeof id === 'string' && REQUEST_ID.test(id) ? id : randomUUID(),
    schemaController: { compilersFactory: { buildSerializer } },
    frameworkErrors: handleFrameworkError,
    clientErrorHandler: rejectConnection,
  }).withTypeProvider<TypeBoxTypeProvider>();
  for (const schema of listNamedSchemas()) app.addSchema(schema);
  registerStrictJson(app);
  registerStrictValidation(app);
  registerRequestLog(app, options.onRequestFinished);
  registerErrorHandler(app, options.translateError);
  const rejectUnmatched = collectMethods(app);
  registerBodyRules(app);
  registerDrain(app);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-request-id': request.id, 'cache-control': 'no-store' });
  });
  // Before any error, which pages of other origins could otherwise not read.
  await registerCors(app, options.corsOrigins);
  app.addHook('onRequest', async (request) => {
    if (!URL.canParse(`http://${request.headers.host ?? 'localhost'}`))
      throw new ServiceError('invalid_request', 'The Host header is not a host.', {
        errors: [{ pointer: 'header:host', detail: 'is not a host' }],
      });
    if (request.url.length > MAX_URL_LENGTH)
      throw new ServiceError('uri_too_long', `The limit is ${MAX_URL_LENGTH} characters.`);
  });
  app.addHook('onRequest', async ({ params }) => lowerIds(params as IdParams));
  closeDeafReaders(app);
  await app.register(helmet, {
    contentSecurityPolicy: false,
    crossOriginResourcePolicy: { policy: options.corsOrigins.length === 0 ? 'same-origin' : 'cross-origin' },
  });
  const { count, countRejected } = await createRateLimits(app, options.rateLimits);
  registerAuth(app, { ...options.authentication, countRejected });
  app.addHook('onRequest', count);
  app.addHook('onRequest', rejectUnmatched);
  registerPolicy(app);
  const inFlight = createInFlight(app, options.databaseConnections);
  app.addHook('preValidation', inFlight.takeSlots);
  registerEtags(app);
  completeLocations(app, options.publicUrl);
  registerIdempotency(app, options.idempotencyKeys);
  // After the hook that saves the response, which takes a connection too.
  app.addHook('onSend', inFlight.releaseSlots);
  registerRequestContext(app, options.runWithContext);
  await app.register(compress, {
    // The plugin would also decompress requests, past the limit of their length.
    globalDecompression: false,
    encodings: ['br', 'gzip'],
    threshold: COMPRESSED_FROM_BYTES,
  });
  await registerOpenapi(app, options);
  return app;
}

/** Handlers set the path of a new resource; callers get its URL. */
function completeLocations(app: FastifyInstance, publicUrl: string): void {
  app.addHook('onSend', async (_request, reply) => {
    const location = reply.getHeader('location');
    if (typeof location === 'string' && location.startsWith('/v1/')) reply.header('location', publicUrl + location);
  });
}

interface IdParams {
  tenant_id?: string;
  id?: string;
}

/** UUIDs are accepted in upper case. Limits, permissions and links see them in lower case only. */
function lowerIds(params: IdParams): void {
  for (const name of ['tenant_id', 'id'] as const) {
    if (params[name] !== undefined) params[name] = params[name].toLowerCase();
  }
}

/** Closes connections that take no byte of a response. A request that is still handled has no time limit of its own. */
function closeDeafReaders(app: FastifyInstance): void {
  /** Responses of a connection that are being sent. */
  const sending = new WeakMap<Socket, number>();
  app.addHook('onSend', async ({ raw: { socket } }, { raw }) => {
    sending.set(socket, (sending.get(socket) ?? 0) + 1);
    socket.setTimeout(READ_TIMEOUT_MS);
    raw.once('finish', () => {
      const left = (sending.get(socket) ?? 1) - 1;
      sending.set(socket, left);
      // Unless Node has begun to wait for the next request, as long as `keepAliveTimeout` says.
      if (left === 0 && socket.timeout === READ_TIMEOUT_MS) socket.setTimeout(0);
    });
  });
}

/** Applies the body limit in an operation's schema to its route, and makes its body optional. */
function registerBodyRules(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const rules = route.schema as { [BODY_LIMIT]?: number; [OPTIONAL_BODY]?: boolean } | undefined;
    if (rules?.[BODY_LIMIT] !== undefined) route.bodyLimit = rules[BODY_LIMIT];
    if (rules?.[OPTIONAL_BODY] === true) {
      route.preValidation = async (request) => {
        if (request.body === undefined) request.body = {};
      };
    }
  });
}

const INVALID_REQUESTS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'The URL and the headers have more than 16 KiB. Send fewer or shorter parameters and headers.',
};

/** Responds to requests that are invalid HTTP or time out, and closes the connection. */
function rejectConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const serviceError =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new ServiceError('request_timeout', 'The request was not received within 30 seconds. Retry.')
      : new ServiceError('invalid_request', INVALID_REQUESTS[error.code ?? ''] ?? 'The request is not valid HTTP.');
  const { status } = ERRORS[serviceError.code];
  const requestId = randomUUID();
  const body = JSON.stringify(toProblem(serviceError, requestId));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
