import type { FastifySchema } from 'fastify';
import type { TSchema } from 'typebox';
import { ROLES } from '../domain/principal.js';
import { ERRORS, type ErrorCode } from '../domain/service-error.js';
import { isPublic, mayCall, type OperationId } from './policy.js';
import { PROBLEM_TYPE, ProblemSchema } from './problem.js';

export interface ReplyDoc {
  readonly description: string;
  readonly schema?: TSchema;
  /** Of the body; JSON unless told. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, TSchema>>;
}

interface OperationDoc {
  readonly id: OperationId;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: TSchema;
  readonly querystring?: TSchema;
  readonly headers?: TSchema;
  readonly body?: TSchema;
  /** Of a body that may be larger than usual. */
  readonly bodyLimitBytes?: number;
  readonly replies: Readonly<Record<number, ReplyDoc>>;
  /** What can go wrong beyond what can go wrong everywhere. */
  readonly errors?: readonly ErrorCode[];
}

/** How the document says that a body may be larger than the usual 64 KiB. */
export const BODY_LIMIT = 'x-body-limit-bytes';

/** What any operation may answer: listed once, documented everywhere. */
const PUBLIC_ERRORS: readonly ErrorCode[] = ['internal'];
const GUARDED_ERRORS: readonly ErrorCode[] = [
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'identity_unavailable',
  'storage_unavailable',
  'internal',
];
const INPUT_ERRORS: readonly ErrorCode[] = ['invalid_request', 'uri_too_long'];
const READS = /^(get|list)[A-Z]/;

/** Whether an operation changes nothing; its id says so. */
export const isRead = (id: string): boolean => READS.test(id);
const BODY_ERRORS: readonly ErrorCode[] = ['malformed_json', 'payload_too_large', 'unsupported_media_type'];

/** The schema of a route: what it takes, every answer it can give, and who has to be asked. */
export function operation<const D extends OperationDoc>(doc: D) {
  const {
    id,
    tag,
    summary,
    description,
    params,
    querystring,
    headers,
    body,
    bodyLimitBytes,
    replies,
    errors = [],
  } = doc;
  const open = isPublic(id);
  const possible = new Set([
    ...(open ? PUBLIC_ERRORS : GUARDED_ERRORS),
    ...INPUT_ERRORS,
    // Whoever sends a body where none is wanted can send a bad one.
    ...(isRead(id) ? [] : BODY_ERRORS),
    ...errors,
  ]);
  return {
    operationId: id as string,
    tags: [tag],
    summary,
    description: [description, toAudience(id)].filter((each) => each !== undefined).join('\n\n'),
    ...(open ? { security: [] } : {}),
    ...(params === undefined ? {} : { params }),
    // A parameter that nobody named is refused, not ignored.
    querystring: querystring ?? { type: 'object', properties: {}, additionalProperties: false },
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
    ...(bodyLimitBytes === undefined ? {} : { [BODY_LIMIT]: bodyLimitBytes }),
    response: { ...toReplies(replies), ...toProblems([...possible]) },
  } as Pick<D, 'params' | 'querystring' | 'body' | 'headers'> & { operationId: string };
}

function toReplies(replies: Readonly<Record<number, ReplyDoc>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(replies).map(([status, { description, schema, type = 'application/json', headers }]) => [
      status,
      {
        description,
        ...(headers === undefined ? {} : { headers }),
        ...(schema === undefined ? { type: 'null' } : { content: { [type]: { schema } } }),
      },
    ]),
  );
}

/** Who may call it, as the policy says. */
function toAudience(id: OperationId): string {
  if (isPublic(id)) return 'Needs no key.';
  return `For ${ROLES.filter((role) => mayCall(id, role))
    .map((role) => `\`${role}\``)
    .join(', ')}.`;
}

/** Documents what can go wrong for a reason that the operation itself does not know. */
export function addErrors(schema: FastifySchema, faults: readonly ErrorCode[]): void {
  const response = (schema.response ?? {}) as Record<string, { description?: string }>;
  for (const [status, problem] of Object.entries(toProblems(faults))) {
    const { description } = response[status] ?? {};
    response[status] =
      description === undefined ? problem : { ...problem, description: `${description} ${problem.description}` };
  }
  schema.response = response;
}

const RETRY_AFTER = {
  'retry-after': { type: 'integer', description: 'Seconds after which a repetition makes sense.' },
};

/** One answer for each status, which says the codes that it can carry. */
function toProblems(faults: readonly ErrorCode[]): Record<string, { description: string }> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of faults) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' '),
        ...([429, 503].includes(status) ? { headers: RETRY_AFTER } : {}),
        content: { [PROBLEM_TYPE]: { schema: ProblemSchema } },
      },
    ]),
  );
}
