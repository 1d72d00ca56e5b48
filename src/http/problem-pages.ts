import type { FastifyInstance } from 'fastify';
import { ERRORS, type ErrorCode, ServiceError } from '../domain/service-error.js';
import { toProblemType } from './problem.js';

/** General advice by status; `detail` of a problem is specific. */
const ADVICE: Readonly<Record<number, string>> = {
  400: 'Fix the request before you retry. "errors" lists each invalid part.',
  401: 'Send the header "Authorization: Bearer …" with a valid API key or token.',
  403: 'Use an API key or a user whose role allows the operation.',
  404: 'Check the path and its ids. Objects of other tenants also return 404.',
  405: 'Use one of the methods in the Allow header.',
  408: 'Retry. The headers must arrive within 10 seconds, the whole request within 30 seconds.',
  409: 'Resolve the conflict before you retry. See "detail", and "next_step" or "conflicting_id" if present.',
  412: 'Read the resource again, reapply the change, and send the new ETag.',
  413: 'Split the request into several smaller ones.',
  414: 'Shorten the URL.',
  415: 'Send the header "Content-Type: application/json".',
  422: 'The request is well formed but cannot be processed. "detail" describes what to change.',
  428: 'Send If-Match with the current ETag, or "If-None-Match: *" for the first PUT.',
  429: 'Wait for the number of seconds in Retry-After before you retry.',
  500: 'Include the request_id when you contact support. Requests with an Idempotency-Key can be retried safely.',
  503: 'The request is valid. Retry it after the number of seconds in Retry-After.',
};

/** Serves an HTML page per problem type at `/docs/problems/{code}`, and an index at `/docs/problems`. */
export function registerProblemPages(app: FastifyInstance): void {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  app.get('/docs/problems', { schema: { hide: true } }, (_request, reply) => {
    const rows = codes.map(
      (code) => `<tr><td>${ERRORS[code].status}</td><td>${toLink(code)}</td><td>${ERRORS[code].title}</td></tr>`,
    );
    return reply.type(HTML).send(toPage('Problems', `<table>${rows.join('\n')}</table>`));
  });
  app.get<{ Params: { code: string } }>('/docs/problems/:code', { schema: { hide: true } }, ({ params }, reply) => {
    const code = codes.find((each) => each === params.code);
    if (code === undefined) throw new ServiceError('not_found', 'No problem has this code.');
    const { status, title } = ERRORS[code];
    const operationIds = listOperations(app, code).map((id) => `<li><code>${id}</code></li>`);
    const returnedBy =
      operationIds.length === 0
        ? '<p>The server, before the request is routed to an operation.</p>'
        : `<ul>${operationIds.join('\n')}</ul>`;
    const body = `<p>${title}.</p>
<dl><dt>status</dt><dd>${status}</dd><dt>code</dt><dd><code>${code}</code></dd><dt>type</dt><dd><code>${toProblemType(code)}</code></dd></dl>
<p>${ADVICE[status]}</p>
<h2>Returned by</h2>
${returnedBy}
<p><a href="/docs/problems">All problems</a> · <a href="/docs">API reference</a></p>`;
    return reply.type(HTML).send(toPage(code, body));
  });
}

const HTML = 'text/html; charset=utf-8';
const toLink = (code: ErrorCode): string => `<a href="/docs/problems/${code}"><code>${code}</code></a>`;

function listOperations(app: FastifyInstance, code: ErrorCode): string[] {
  return Object.values(app.swagger().paths ?? {}).flatMap((path) =>
    Object.values(path as Record<string, { operationId?: string; responses?: object }>).flatMap(
      ({ operationId, responses }) =>
        operationId !== undefined && JSON.stringify(responses).includes(`\`${code}\``) ? [operationId] : [],
    ),
  );
}

const toPage = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – biotrack-connect</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}td{padding:.2rem .8rem .2rem 0;vertical-align:top}dt{float:left;clear:left;width:5rem;color:#666}</style>
<h1>${title}</h1>
${body}
</html>
`;
