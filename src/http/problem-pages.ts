import type { FastifyInstance } from 'fastify';
import { ERRORS, type ErrorCode, ServiceError } from '../domain/service-error.js';
import { toProblemType } from './problem.js';

/** What to do about an answer of this status, in general; the answer itself says it in particular. */
const ADVICE: Readonly<Record<number, string>> = {
  400: 'Change the request: "errors" names each part that does not fit. The same request is refused again.',
  401: 'Send "Authorization: Bearer …" with an API key or a token that is valid here.',
  403: 'Ask somebody whose role allows it, or use a key that does.',
  404: 'Check the path and the ids in it. What belongs to another tenant is not there, either.',
  405: 'Use a method that the header Allow names.',
  408: 'Send the whole request at once: its head within ten seconds, and all of it within thirty.',
  409: 'Something has to change before the same request makes sense: see "detail", and "next_step" or "conflicting_id" where there is one.',
  412: 'Read the resource again, see what changed, and send the new ETag.',
  413: 'Send less at a time.',
  414: 'Shorten the URL.',
  415: 'Send application/json.',
  422: 'The request is well formed and cannot be carried out as it is: "detail" says what to change.',
  428: 'Send If-Match with the ETag of your last read, or If-None-Match: * for the first PUT.',
  429: 'Wait for as many seconds as Retry-After says, then go on.',
  500: 'Quote the request id when asking for help. With an Idempotency-Key the request can be sent again safely.',
  503: 'Nothing is wrong with the request: send it again after as many seconds as Retry-After says.',
};

/** A page for each type of problem: `/docs/problems/{code}`, and all of them at `/docs/problems`. */
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
    if (code === undefined) throw new ServiceError('not_found', 'There is no such problem.');
    const { status, title } = ERRORS[code];
    const answerers = listOperations(app, code).map((id) => `<li><code>${id}</code></li>`);
    const whoAnswers =
      answerers.length === 0
        ? '<p>The server itself, before it is known which operation is meant.</p>'
        : `<ul>${answerers.join('\n')}</ul>`;
    const body = `<p>${title}.</p>
<dl><dt>status</dt><dd>${status}</dd><dt>code</dt><dd><code>${code}</code></dd><dt>type</dt><dd><code>${toProblemType(code)}</code></dd></dl>
<p>${ADVICE[status]}</p>
<h2>Who answers it</h2>
${whoAnswers}
<p><a href="/docs/problems">All problems</a> · <a href="/docs">The API</a></p>`;
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
