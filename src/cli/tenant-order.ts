import {
  type FieldMistake,
  oneOf,
  password,
  type ReadField,
  readObject,
  text,
  toPointer,
  uuid,
  yesOrNo,
} from './fields.js';
import type { components } from './generated/v1.js';
import type { Hidden } from './hidden.js';

export type CompanyStrategy = components['schemas']['CompanyCreationPreference']['strategy'];
export type TenantEnvironment = components['schemas']['Tenant']['environment'];

/** How one tenant shall be. */
export interface TenantOrder {
  readonly tenantId: string;
  readonly name: string;
  readonly state: string;
  readonly environment: TenantEnvironment;
  readonly ubi: string;
  readonly strategy: CompanyStrategy;
  /** Undefined: as it is, and without labs if nothing is said yet. */
  readonly includeLabs: boolean | undefined;
  readonly credential: { readonly description: string; readonly username: string; readonly password: Hidden };
  readonly licenses: 'all' | readonly string[];
}

const LICENSE_NUMBER = text(64);

const licenses: ReadField<'all' | readonly string[]> = (value) => {
  if (value === 'all') return { value };
  const refusal = { refusal: 'must be "all", or a list of one or more license numbers as text' };
  if (!Array.isArray(value) || value.length === 0) return refusal;
  const numbers: string[] = [];
  for (const item of value) {
    const read = LICENSE_NUMBER(item);
    if ('refusal' in read) return refusal;
    numbers.push(read.value);
  }
  return { value: [...new Set(numbers)] };
};

/** Every field of a tenant in a file: where it stands, and what it may be. */
const FIELDS = {
  tenantId: ['tenant_id', uuid],
  name: ['name', text(200)],
  state: ['state', text(8)],
  environment: ['environment', oneOf<TenantEnvironment>('production', 'training')],
  ubi: ['ubi', text(64)],
  strategy: ['strategy', oneOf<CompanyStrategy>('one_per_license', 'one_per_vendor')],
  includeLabs: ['include_labs', yesOrNo],
  licenses: ['licenses', licenses],
} as const;

const CREDENTIAL_FIELDS = {
  description: ['description', text(120)],
  username: ['username', text(200)],
  password: ['password', password],
} as const;

type ValuesOf<Table extends Record<string, readonly [string, ReadField<unknown>]>> = {
  readonly [Name in keyof Table]?: Table[Name] extends readonly [string, ReadField<infer T>] ? T : never;
};
type Values = ValuesOf<typeof FIELDS> & ValuesOf<typeof CREDENTIAL_FIELDS>;
type FieldName = keyof Values;

/** What was said of a tenant, possibly not all of it. */
export interface TenantFields {
  readonly values: Values;
  /** Also those whose value was refused: they need not be asked for again. */
  readonly given: ReadonlySet<FieldName>;
}

export const NO_FIELDS: TenantFields = { values: {}, given: new Set() };

/** Reads what is there and notes each mistake. `withoutId`: defaults, which belong to no tenant. */
export function readTenantFields(
  raw: unknown,
  pointer: string,
  mistakes: FieldMistake[],
  { withoutId = false }: { readonly withoutId?: boolean } = {},
): TenantFields {
  const own = Object.entries(FIELDS).filter(([name]) => !withoutId || (name !== 'tenantId' && name !== 'name'));
  const known = [...own.map(([, [name]]) => name), 'credential'];
  const members = readObject(raw, pointer, known, mistakes) ?? {};
  const values: Partial<Record<FieldName, unknown>> = {};
  const given = new Set<FieldName>();
  const readAll = (
    source: Readonly<Record<string, unknown>>,
    parent: string,
    table: readonly (readonly [string, readonly [string, ReadField<unknown>]])[],
  ): void => {
    for (const [name, [member, read]] of table) {
      if (!Object.hasOwn(source, member)) continue;
      given.add(name as FieldName);
      const result = read(source[member]);
      if ('refusal' in result) mistakes.push({ pointer: toPointer(parent, member), detail: result.refusal });
      else values[name as FieldName] = result.value;
    }
  };
  readAll(members, pointer, own);
  if (Object.hasOwn(members, 'credential')) {
    const parent = toPointer(pointer, 'credential');
    const table = Object.entries(CREDENTIAL_FIELDS);
    const credential = readObject(members.credential, parent, [...Object.keys(CREDENTIAL_FIELDS)], mistakes);
    if (credential !== undefined) readAll(credential, parent, table);
    // One mistake is said of it already.
    else for (const [name] of table) given.add(name as FieldName);
  }
  // Each value came out of the reader of its own name.
  return { values: values as Values, given };
}

export const DEFAULT_DESCRIPTION = 'BioTrack login';

const REQUIRED = {
  tenantId: '/tenant_id',
  name: '/name',
  state: '/state',
  environment: '/environment',
  ubi: '/ubi',
  strategy: '/strategy',
  username: '/credential/username',
  password: '/credential/password',
} as const;

/** The whole order, the tenant's own words before the defaults; notes what is still missing. */
export function toTenantOrder(
  own: TenantFields,
  defaults: TenantFields,
  pointer: string,
  mistakes: FieldMistake[],
): TenantOrder | undefined {
  for (const [name, member] of Object.entries(REQUIRED)) {
    if (own.given.has(name as FieldName) || defaults.given.has(name as FieldName)) continue;
    const hint = name === 'password' ? '; it may come from BIOTRACK_CONNECT_PASSWORD or --password-file too' : '';
    mistakes.push({ pointer: `${pointer}${member}`, detail: `is required${hint}` });
  }
  const { tenantId, name, state, environment, ubi, strategy, username, password, ...rest } = {
    ...defaults.values,
    ...own.values,
  };
  if (tenantId === undefined || name === undefined || state === undefined || environment === undefined) return;
  if (ubi === undefined || strategy === undefined || username === undefined || password === undefined) return;
  const credential = { description: rest.description ?? DEFAULT_DESCRIPTION, username, password };
  const { includeLabs, licenses = 'all' } = rest;
  return { tenantId, name, state, environment, ubi, strategy, includeLabs, credential, licenses };
}
