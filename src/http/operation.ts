import type { FastifySchema } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { ROLES } from '../domain/principal.js';
import { ERRORS, type ErrorCode } from '../domain/service-error.js';
import { hasEtag } from './etag.js';
import { isPublic, mayCall, type OperationId } from './policy.js';
import { etagHeader, findNamedSchema, ifNoneMatchHeader } from './primitives.js';
import { PROBLEM_TYPE, ProblemSchema } from './problem.js';

export interface ReplyDoc {
  readonly description: string;
  readonly schema?: TSchema;
  /** The media type of the body. Defaults to JSON. */
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
  /** Unknown headers are ignored, because proxies add their own. */
  readonly headers?: Readonly<Record<string, TSchema>>;
  readonly body?: TSchema;
  /** Whether requests without a body are treated like `{}`. */
  readonly isBodyOptional?: boolean;
  /** Defaults to 64 KiB. */
  readonly bodyLimitBytes?: number;
  readonly replies: Readonly<Record<number, ReplyDoc>>;
  /** The errors of this operation, in addition to those of all operations. */
  readonly errors?: readonly ErrorCode[];
}

/** The OpenAPI extension for operations with a higher body limit than 64 KiB. */
export const BODY_LIMIT = 'x-body-limit-bytes';
/** The OpenAPI extension for operations with an optional body. */
export const OPTIONAL_BODY = 'x-optional-body';

/** Errors of all operations. */
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

/** Whether an operation only reads, as its id shows: `get…` or `list…`. */
export const isRead = (id: string): boolean => READS.test(id);
const BODY_ERRORS: readonly ErrorCode[] = ['malformed_json', 'payload_too_large', 'unsupported_media_type'];

/** Writes wait for the tenant's lock. */
const TENANT_WRITE_ERRORS: readonly ErrorCode[] = ['sync_in_progress'];
const isTenantWrite = ({ id, params }: OperationDoc): boolean =>
  !isRead(id) && 'tenant_id' in ((params as { properties?: object } | undefined)?.properties ?? {});

/** Builds the schema of a route: its input, all of its responses including errors, and the roles that may call it. */
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
    isBodyOptional = false,
    bodyLimitBytes,
    replies,
    errors = [],
  } = doc;
  const needsNoKey = isPublic(id);
  const allErrors = new Set([
    ...(needsNoKey ? PUBLIC_ERRORS : GUARDED_ERRORS),
    ...INPUT_ERRORS,
    // Bodies are parsed even if the operation has none.
    ...(isRead(id) ? [] : BODY_ERRORS),
    ...(isTenantWrite(doc) ? TENANT_WRITE_ERRORS : []),
    ...errors,
  ]);
  return {
    operationId: id as string,
    tags: [tag],
    summary,
    description: [description, describeRoles(id)].filter((each) => each !== undefined).join('\n\n'),
    ...(needsNoKey ? { security: [] } : {}),
    ...(id === 'listSyncEvents' ? { security: [{ bearer: [] }, { ticket: [] }] } : {}),
    ...(params === undefined ? {} : { params }),
    // Unknown query parameters are rejected.
    querystring: querystring ?? { type: 'object', properties: {}, additionalProperties: false },
    headers: Type.Object({ ...headers, ...(isConditional(id) ? ifNoneMatchHeader : {}) }),
    ...(body === undefined ? {} : { body }),
    ...(isBodyOptional ? { [OPTIONAL_BODY]: true } : {}),
    ...(bodyLimitBytes === undefined ? {} : { [BODY_LIMIT]: bodyLimitBytes }),
    response: { ...toResponses(id, replies), ...toErrorResponses([...allErrors]) },
  } as Pick<D, 'params' | 'querystring' | 'body'> & { operationId: string };
}

/** Whether the operation is a read with an ETag. */
const isConditional = (id: OperationId): boolean => isRead(id) && hasEtag(id);

function toResponses(id: OperationId, replies: Readonly<Record<number, ReplyDoc>>): Record<string, unknown> {
  const responses = Object.entries(replies).map(
    ([status, { description, schema, type = 'application/json', headers }]) => [
      status,
      {
        description,
        headers: { ...headers, ...(isConditional(id) || hasEtagField(schema) ? etagHeader : {}) },
        ...(schema === undefined ? { type: 'null' } : { content: { [type]: { schema } } }),
      },
    ],
  );
  return Object.fromEntries([
    ...responses,
    ...(isConditional(id) ? [[304, { description: 'Nothing has changed.', headers: etagHeader, type: 'null' }]] : []),
  ]);
}

const hasEtagField = (schema: TSchema | undefined): boolean => {
  const { $ref } = (schema ?? {}) as { readonly $ref?: string };
  const { properties = {} } = ($ref === undefined ? {} : findNamedSchema($ref)) as { readonly properties?: object };
  return 'etag' in properties;
};

function describeRoles(id: OperationId): string {
  if (isPublic(id)) return 'Requires no authentication.';
  return `Roles: ${ROLES.filter((role) => mayCall(id, role))
    .map((role) => `\`${role}\``)
    .join(', ')}.`;
}

/** Adds errors that a hook raises to the documented errors of an operation. */
export function addErrors(schema: FastifySchema, errors: readonly ErrorCode[]): void {
  const response = (schema.response ?? {}) as Record<string, { description?: string }>;
  for (const [status, problem] of Object.entries(toErrorResponses(errors))) {
    const { description } = response[status] ?? {};
    response[status] =
      description === undefined ? problem : { ...problem, description: `${description} ${problem.description}` };
  }
  schema.response = response;
}

const RETRY_AFTER = {
  'retry-after': { type: 'integer', description: 'Seconds to wait before retrying.' },
};

/** One response per status; its description lists the error codes. */
function toErrorResponses(errors: readonly ErrorCode[]): Record<string, { description: string }> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errors) {
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
