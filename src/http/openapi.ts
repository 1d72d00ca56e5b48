import { hash } from 'node:crypto';
import swagger from '@fastify/swagger';
import scalar from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';
import { addExamples } from './examples.js';
import { addHeaders, type DocumentWithHeaders } from './openapi-headers.js';
import { OPTIONAL_BODY } from './operation.js';
import { registerProblemPages } from './problem-pages.js';

/** Serves the OpenAPI document, which is generated from the schemas of the routes, and its HTML documentation. */
export async function registerOpenapi(
  app: FastifyInstance,
  { publicUrl, version }: { readonly publicUrl: string; readonly version: string },
): Promise<void> {
  const basePath = new URL(publicUrl).pathname.replace(/\/$/, '');
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'biotrack-connect',
        version,
        description: DESCRIPTION,
        license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
      },
      servers: [{ url: publicUrl }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: TOKENS },
          ticket: { type: 'apiKey', in: 'query', name: 'ticket', description: TICKETS },
        },
      },
      security: [{ bearer: [] }],
      tags: TAGS,
    },
    transformObject: (generated) => {
      const document = 'openapiObject' in generated ? generated.openapiObject : generated.swaggerObject;
      addExamples(document as Readonly<Record<string, unknown>>);
      makeBodiesOptional(document as OptionalBodies);
      addHeaders(document as DocumentWithHeaders);
      return document;
    },
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `Schema${index}`,
    },
  });
  addContentPolicy(app);
  // Hidden routes require no authentication: the documentation holds no data.
  app.get('/openapi/v1.json', { schema: { hide: true } }, async () => app.swagger());
  registerProblemPages(app, basePath);
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: `${basePath}/openapi/v1.json`,
      withDefaultFonts: false,
      hideClientButton: true,
      showDeveloperTools: 'never',
    },
  });
}

/** Pages run only scripts of this service. The reference has one inline script, which its digest allows. */
function addContentPolicy(app: FastifyInstance): void {
  app.addHook('onSend', async (_request, reply, payload) => {
    if (typeof payload !== 'string' || !String(reply.getHeader('content-type')).startsWith('text/html')) return;
    const scripts = [...payload.matchAll(/<script[^>]*>([^<]+)<\/script>/g)].map(
      ([, script = '']) => ` 'sha256-${hash('sha256', script, 'base64')}'`,
    );
    reply.header(
      'content-security-policy',
      `default-src 'self'; script-src 'self'${scripts.join('')}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'`,
    );
  });
}

interface OptionalBodies {
  readonly paths?: Readonly<
    Record<string, Readonly<Record<string, { [OPTIONAL_BODY]?: boolean; requestBody?: { required?: boolean } }>>>
  >;
}

/** The generator marks all bodies as required. */
function makeBodiesOptional({ paths = {} }: OptionalBodies): void {
  for (const operations of Object.values(paths)) {
    for (const { [OPTIONAL_BODY]: isOptional, requestBody } of Object.values(operations)) {
      if (isOptional === true && requestBody !== undefined) requestBody.required = false;
    }
  }
}

const TOKENS = `Either an API key (\`btk_…\`), for scripts, or a JWT of the host application, for its users. The JWT must be signed
with one of the host application's published keys and contain its issuer and audience, \`exp\`, \`sub\` (the user id),
\`tenant_id\` and \`role\` (\`admin\` or \`user\`).`;

const TICKETS = 'Only for the event stream of a sync: a ticket that works once. `POST …/event-tickets` creates it.';

const DESCRIPTION = `Connects the tenants of an ERP (the *host application*) to a state's BioTrack system. The state's licensed vendors become
companies, one per license or one per vendor, and syncs keep the companies up to date.

## Setup
A tenant is set up in three steps: save the **UBI** and choose how vendors become companies, save the **credentials** of a
BioTrack user, and create the **licenses** to work with. \`GET /v1/tenants/{tenant_id}/setup\` returns the status of each step
and the next call to make.

## Requests
Bodies are JSON of at most 64 KiB, except where an operation has a higher limit. Unknown fields and query parameters return
400. Values are never converted: \`"5"\` is not a number, and leading zeros are significant.

## Lists
Lists return \`{data, next_page}\`. \`next_page\` is the URL of the next page, or null on the last one.

## Errors
Errors are \`application/problem+json\` (RFC 9457) with a stable \`code\` ([all codes](docs/problems)).

## Concurrent changes
Changing an existing resource requires \`If-Match\` with its ETag; the first PUT of a setting requires \`If-None-Match: *\`. A
missing header returns 428, an outdated ETag 412.

## Idempotency
Every POST accepts an \`Idempotency-Key\`. Within 24 hours, repeating a request with the same key has no further effect and
returns the first response again, including errors below 500. The same key with a different request returns 422
\`idempotency_key_reused\`; while the first request is in progress, a repetition returns 409 \`idempotency_in_progress\`. Errors
of 500 and above are not stored, so they can be retried with the same key. If changes were committed but the response was
lost, repetitions return 409 \`outcome_unknown\` and do not repeat the changes.

## Compatibility
New operations, optional request fields, response fields and response enum values can appear without a new version. Clients
must ignore fields and values that they do not know.`;

const TAGS = [
  { name: 'Tenants', description: 'Tenants and the supported states.' },
  { name: 'Setup', description: 'The setup steps, their status, and the configuration as one document.' },
  { name: 'Credentials', description: 'Logins of BioTrack users. Passwords are write-only.' },
  { name: 'Licenses', description: "The tenant's own licenses." },
  { name: 'Syncs', description: 'Sync runs, their plans, and the sync schedule.' },
  { name: 'Companies', description: 'Companies, their licenses, conflicts and changes.' },
  { name: 'Operations', description: 'Health checks and API keys.' },
];
