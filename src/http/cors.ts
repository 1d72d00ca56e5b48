import cors, { type FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServiceError } from '../domain/service-error.js';

/** What scripts of other origins may read besides the body. */
const EXPOSED_HEADERS = [
  'ETag',
  'Location',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'X-Request-Id',
  'Idempotency-Replayed',
  'Link',
];
const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'If-Match',
  'If-None-Match',
  'Idempotency-Key',
  'Last-Event-ID',
  'X-Request-Id',
  'traceparent',
];
/** Browsers ask again after at most 2 hours (Chromium) or a day (Firefox). */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/**
 * Lets browsers of these origins call the service. Preflights of other origins are refused; their other requests are handled
 * like those of scripts, but browsers keep the responses from the page.
 * @param origins exact, such as `https://app.example.com`
 */
export async function registerCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  app.addHook('onRequest', async (request) => {
    const { origin = '' } = request.headers;
    if (isPreflight(request) && !origins.includes(origin))
      throw new ServiceError('origin_not_allowed', 'An operator can add the origin to CORS_ORIGINS.');
  });
  if (origins.length === 0) return;
  const options: FastifyCorsOptions = {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
  };
  // Other OPTIONS requests get the Allow header from `methods.ts`.
  await app.register(cors, {
    delegator: (request, done) => done(null, { ...options, preflight: isPreflight(request) }),
  });
}

const isPreflight = ({ method, headers }: FastifyRequest): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
