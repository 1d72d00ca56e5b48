import swagger from '@fastify/swagger';
import scalar from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';
import { addExamples } from './examples.js';
import { registerProblemPages } from './problem-pages.js';

/** The document, made of the routes' own schemas, and the page that shows it. */
export async function registerOpenapi(app: FastifyInstance, publicUrl: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'biotrack-connect',
        version: '1.0.0',
        description: DESCRIPTION,
        license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
      },
      servers: [{ url: publicUrl }],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: TOKENS } },
      },
      security: [{ bearer: [] }],
      tags: TAGS,
    },
    transformObject: (made) => {
      const document = 'openapiObject' in made ? made.openapiObject : made.swaggerObject;
      addExamples(document as Readonly<Record<string, unknown>>);
      return document;
    },
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `Schema${index}`,
    },
  });
  // Hidden routes need no key: the document and its page hold no data.
  app.get('/openapi/v1.json', { schema: { hide: true } }, async () => app.swagger());
  registerProblemPages(app);
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi/v1.json',
      withDefaultFonts: false,
      hideClientButton: true,
      showDeveloperTools: 'never',
    },
  });
}

const TOKENS = `An API key, \`btk_…\`, of a script; or a JWT of the host application, of a person: with its issuer and audience, \`exp\`,
\`sub\` (the id of the person), \`tenant_id\` and \`role\` (\`admin\` or \`user\`), signed with one of its published keys.`;

const DESCRIPTION = `Connects an ERP's tenants to a state's BioTrack system: every vendor of the state becomes a company, and stays one.

Three steps set a tenant up: its **UBI** and how vendors become companies, the **credentials** of a BioTrack user, the
**licenses** to work with. \`GET /v1/tenants/{tenant_id}/setup\` says at any time what comes next.

Bodies are strict: an unknown field or parameter is refused, nothing is coerced, leading zeros count. Lists are
\`{data, next_page}\`. Errors are \`application/problem+json\` with a stable \`code\` ([all of them](/docs/problems)). A change of an existing resource needs
\`If-Match\` with its ETag, the first PUT of a setting \`If-None-Match: *\`.

A POST takes an \`Idempotency-Key\`: within 24 hours the same request of the same caller with the same key has no further
effect and gets the first answer again, errors below 500 included. Another request with the key is 422, one while the
first is at work 409 \`idempotency_in_progress\`. An error of 500 or above is not kept: send it again with the same key. If an effect
was committed but its answer was lost with the process, repetitions are told 409 \`outcome_unknown\`, and never do it twice.`;

const TAGS = [
  { name: 'Tenants', description: 'Who is set up here.' },
  { name: 'Set-up', description: 'The three steps, and what comes next.' },
  { name: 'Credentials', description: 'BioTrack users and their passwords, which go in and never come out.' },
  { name: 'Licenses', description: "The tenant's own licenses." },
  { name: 'Syncs', description: 'Runs that bring the companies up to date.' },
  { name: 'Companies', description: 'The vendors of the state, as companies.' },
  { name: 'Operations', description: 'For those who run the service.' },
];
