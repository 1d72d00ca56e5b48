import type { FastifyInstance } from 'fastify';
import { ERRORS, type ErrorCode, ServiceError } from '../domain/service-error.js';
import { toProblemType } from './problem.js';
import { PROBLEM_DESCRIPTIONS } from './problem-descriptions.js';

/**
 * Serves an HTML page per problem type at `/docs/problems/{code}`, and an index at `/docs/problems`.
 * @param basePath the path of `PUBLIC_URL`, without a trailing slash
 */
export function registerProblemPages(app: FastifyInstance, basePath: string): void {
  const toLink = (code: ErrorCode): string => `<a href="${basePath}/docs/problems/${code}"><code>${code}</code></a>`;
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
<p>${PROBLEM_DESCRIPTIONS[code]}</p>
<h2>Returned by</h2>
${returnedBy}
<p><a href="${basePath}/docs/problems">All problems</a> · <a href="${basePath}/docs">API reference</a></p>`;
    return reply.type(HTML).send(toPage(code, body));
  });
}

const HTML = 'text/html; charset=utf-8';

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
