// Headers in the OpenAPI document that all operations share.

type Json = Readonly<Record<string, unknown>>;

interface HeaderDoc {
  readonly description?: string;
  readonly required?: boolean;
  readonly schema: Json;
}

interface OperationDoc {
  readonly security?: readonly unknown[];
  readonly parameters?: { readonly in: string; readonly name: string; required?: boolean }[];
  readonly responses: Readonly<Record<string, { headers?: Readonly<Record<string, unknown>> }>>;
}

export interface DocumentWithHeaders {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, OperationDoc>>>>;
  components?: { headers?: Readonly<Record<string, HeaderDoc>> };
}

const SHARED: Readonly<Record<string, HeaderDoc>> = {
  'X-Request-Id': {
    description: 'Identifies the request in logs and problems. A valid one of the request is returned unchanged.',
    required: true,
    schema: { type: 'string', maxLength: 128 },
  },
  'Cache-Control': {
    description: '`no-store`: shared caches must not store responses.',
    required: true,
    schema: { type: 'string' },
  },
  RateLimit: {
    description: 'The remaining requests (`r`) and the seconds until the limit is reset (`t`).',
    schema: { type: 'string', examples: ['"caller";r=5990;t=42'] },
  },
  'RateLimit-Policy': {
    description: 'The requests (`q`) that are allowed in a window of `w` seconds.',
    schema: { type: 'string', examples: ['"caller";q=6000;w=60'] },
  },
  'Idempotency-Replayed': {
    description: '`true` if the response is that of an earlier request with the same `Idempotency-Key`.',
    schema: { type: 'string', const: 'true' },
  },
};

const NAMES: Readonly<Record<string, string>> = { etag: 'ETag', location: 'Location', 'retry-after': 'Retry-After' };

/** Adds the headers of all responses, and the mark `required` where a header is never missing. */
export function addHeaders(document: DocumentWithHeaders): void {
  document.components = { ...document.components, headers: SHARED };
  for (const item of Object.values(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(item)) {
      const isPublic = operation.security?.length === 0;
      const names = Object.keys(SHARED).filter((name) => {
        if (name.startsWith('RateLimit')) return !isPublic;
        return name !== 'Idempotency-Replayed' || method === 'post';
      });
      const shared = Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
      for (const response of Object.values(operation.responses)) {
        const own = Object.entries(response.headers ?? {}).map(([name, header]) => [
          NAMES[name] ?? name,
          { ...(header as HeaderDoc), required: true },
        ]);
        response.headers = { ...Object.fromEntries(own), ...shared };
      }
      requireIfMatch(method, operation);
    }
  }
}

/** A missing If-Match is a 428. In the schema of the route it is optional, or it would be a 400. */
function requireIfMatch(method: string, { parameters = [] }: OperationDoc): void {
  const isAlternative = parameters.some(({ in: place, name }) => place === 'header' && name === 'if-none-match');
  const ifMatch = parameters.find(({ in: place, name }) => place === 'header' && name === 'if-match');
  if (ifMatch !== undefined && method !== 'get' && !isAlternative) ifMatch.required = true;
}
