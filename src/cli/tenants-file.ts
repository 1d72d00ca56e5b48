import { baseUrl, type FieldMistake, readObject, toPointer } from './fields.js';
import type { Hidden } from './hidden.js';
import { NO_FIELDS, readTenantFields, type TenantFields, type TenantOrder, toTenantOrder } from './tenant-order.js';
import { UsageError } from './usage-error.js';

export interface TenantsFile {
  readonly baseUrl: string | undefined;
  readonly orders: readonly TenantOrder[];
}

/**
 * Reads a file of many tenants, all of it, before anything is done with any part of it.
 * @param name for messages
 * @param password for the tenants that name none
 * @throws UsageError with every mistake, by its JSON pointer
 */
export function parseTenantsFile(name: string, content: string, password: Hidden | undefined): TenantsFile {
  const mistakes: FieldMistake[] = [];
  const root = readObject(parseJson(name, content), '', ['base_url', 'defaults', 'tenants'], mistakes) ?? {};
  const url = root.base_url === undefined ? undefined : baseUrl(root.base_url);
  if (url !== undefined && 'refusal' in url) mistakes.push({ pointer: '/base_url', detail: url.refusal });
  const defaults = withPassword(
    root.defaults === undefined
      ? NO_FIELDS
      : readTenantFields(root.defaults, '/defaults', mistakes, { withoutId: true }),
    password,
  );
  const orders: TenantOrder[] = [];
  if (!Array.isArray(root.tenants) || root.tenants.length === 0) {
    mistakes.push({ pointer: '/tenants', detail: 'must be a list of one or more tenants' });
  } else {
    const seen = new Map<string, string>();
    for (const [index, raw] of root.tenants.entries()) {
      const pointer = toPointer('/tenants', index);
      const own = readTenantFields(raw, pointer, mistakes);
      const { tenantId } = own.values;
      const earlier = tenantId === undefined ? undefined : seen.get(tenantId);
      if (earlier !== undefined) {
        mistakes.push({ pointer: `${pointer}/tenant_id`, detail: `is the same as ${earlier}/tenant_id` });
      } else if (tenantId !== undefined) seen.set(tenantId, pointer);
      const order = toTenantOrder(own, defaults, pointer, mistakes);
      if (order !== undefined) orders.push(order);
    }
  }
  if (mistakes.length > 0) {
    const lines = mistakes.map(({ pointer, detail }) => `  ${pointer === '' ? '(the whole file)' : pointer} ${detail}`);
    throw new UsageError([`${name}: nothing was done, for the file has mistakes:`, ...lines]);
  }
  return { baseUrl: url !== undefined && 'value' in url ? url.value : undefined, orders };
}

/** The parser's own message is not shown: it quotes the file, and the file holds passwords. */
function parseJson(name: string, content: string): unknown {
  try {
    return JSON.parse(content.replace(/^\uFEFF/, ''));
  } catch (error) {
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    const line = position === undefined ? '' : ` (line ${content.slice(0, Number(position)).split('\n').length})`;
    throw new UsageError([`${name}: the file is not JSON${line}.`]);
  }
}

function withPassword(defaults: TenantFields, password: Hidden | undefined): TenantFields {
  if (password === undefined || defaults.given.has('password')) return defaults;
  return { values: { ...defaults.values, password }, given: new Set([...defaults.given, 'password']) };
}
