import { baseUrl, type InputError, readObject, toPointer } from './fields.js';
import type { Hidden } from './hidden.js';
import { NO_FIELDS, readTenantFields, type TenantFields, type TenantSpec, toTenantSpec } from './tenant-spec.js';
import { UsageError } from './usage-error.js';

export interface TenantsFile {
  readonly baseUrl: string | undefined;
  readonly specs: readonly TenantSpec[];
}

/**
 * Parses and validates a file of tenants.
 * @param name the file's name, for messages
 * @param password for tenants without one
 * @throws UsageError with all errors and their JSON pointers
 */
export function parseTenantsFile(name: string, content: string, password: Hidden | undefined): TenantsFile {
  const errors: InputError[] = [];
  const root = readObject(parseJson(name, content), '', ['base_url', 'defaults', 'tenants'], errors) ?? {};
  const url = root.base_url === undefined ? undefined : baseUrl(root.base_url);
  if (url !== undefined && 'error' in url) errors.push({ pointer: '/base_url', detail: url.error });
  const defaults = withPassword(
    root.defaults === undefined ? NO_FIELDS : readTenantFields(root.defaults, '/defaults', errors, { withoutId: true }),
    password,
  );
  const specs: TenantSpec[] = [];
  if (!Array.isArray(root.tenants) || root.tenants.length === 0) {
    errors.push({ pointer: '/tenants', detail: 'must be an array with at least one tenant' });
  } else {
    const seen = new Map<string, string>();
    for (const [index, raw] of root.tenants.entries()) {
      const pointer = toPointer('/tenants', index);
      const own = readTenantFields(raw, pointer, errors);
      const { tenantId } = own.values;
      const earlier = tenantId === undefined ? undefined : seen.get(tenantId);
      if (earlier !== undefined) {
        errors.push({ pointer: `${pointer}/tenant_id`, detail: `is the same as ${earlier}/tenant_id` });
      } else if (tenantId !== undefined) seen.set(tenantId, pointer);
      const spec = toTenantSpec(own, defaults, pointer, errors);
      if (spec !== undefined) specs.push(spec);
    }
  }
  if (errors.length > 0) {
    const lines = errors.map(({ pointer, detail }) => `  ${pointer === '' ? '(the file)' : pointer} ${detail}`);
    throw new UsageError([`${name} is invalid; nothing was changed:`, ...lines]);
  }
  return { baseUrl: url !== undefined && 'value' in url ? url.value : undefined, specs };
}

/** Does not show the parser's message, which quotes the file and so may contain a password. */
function parseJson(name: string, content: string): unknown {
  try {
    return JSON.parse(content.replace(/^\uFEFF/, ''));
  } catch (error) {
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    const line = position === undefined ? '' : ` (line ${content.slice(0, Number(position)).split('\n').length})`;
    throw new UsageError([`${name}: the file is not valid JSON${line}.`]);
  }
}

function withPassword(defaults: TenantFields, password: Hidden | undefined): TenantFields {
  if (password === undefined || defaults.given.has('password')) return defaults;
  return { values: { ...defaults.values, password }, given: new Set([...defaults.given, 'password']) };
}
