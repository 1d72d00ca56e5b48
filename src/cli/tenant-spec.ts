import type { components } from '#client';
import {
  boolean,
  type FieldParser,
  type InputError,
  oneOf,
  password,
  readObject,
  text,
  toPointer,
  uuid,
} from './fields.js';
import type { Hidden } from './hidden.js';

export type CompanyStrategy = components['schemas']['CompanyCreationPreferenceInput']['strategy'];
export type TenantEnvironment = components['schemas']['TenantInput']['environment'];

/** The desired state of a tenant. */
export interface TenantSpec {
  readonly tenantId: string;
  readonly name: string;
  readonly state: string;
  readonly environment: TenantEnvironment;
  readonly ubi: string;
  readonly strategy: CompanyStrategy;
  /** Undefined: keep the current value; `false` for a new tenant. */
  readonly includeLabs: boolean | undefined;
  readonly credential: {
    readonly description: string;
    readonly username: string;
    readonly password: Hidden;
    /** Undefined: keep the current value; none for a new login. */
    readonly licenseNumber: string | undefined;
  };
  readonly licenses: 'all' | readonly string[];
}

const LICENSE_NUMBER = text(64);

const licenses: FieldParser<'all' | readonly string[]> = (value) => {
  if (value === 'all') return { value };
  const error = { error: 'must be "all" or an array of license numbers as strings' };
  if (!Array.isArray(value) || value.length === 0) return error;
  const numbers: string[] = [];
  for (const item of value) {
    const read = LICENSE_NUMBER(item);
    if ('error' in read) return error;
    numbers.push(read.value);
  }
  return { value: [...new Set(numbers)] };
};

/** The member name and the parser of each field of a tenant in a file. */
const FIELDS = {
  tenantId: ['tenant_id', uuid],
  name: ['name', text(200)],
  state: ['state', text(8)],
  environment: ['environment', oneOf<TenantEnvironment>('production', 'training')],
  ubi: ['ubi', text(64)],
  strategy: ['strategy', oneOf<CompanyStrategy>('one_per_license', 'one_per_vendor')],
  includeLabs: ['include_labs', boolean],
  licenses: ['licenses', licenses],
} as const;

const CREDENTIAL_FIELDS = {
  description: ['description', text(120)],
  username: ['username', text(200)],
  password: ['password', password],
  licenseNumber: ['license_number', LICENSE_NUMBER],
} as const;

type ValuesOf<Table extends Record<string, readonly [string, FieldParser<unknown>]>> = {
  readonly [Name in keyof Table]?: Table[Name] extends readonly [string, FieldParser<infer T>] ? T : never;
};
type Values = ValuesOf<typeof FIELDS> & ValuesOf<typeof CREDENTIAL_FIELDS>;
type FieldName = keyof Values;

/** The fields given for a tenant, possibly incomplete. */
export interface TenantFields {
  readonly values: Values;
  /** Includes invalid fields, which are not reported as missing too. */
  readonly given: ReadonlySet<FieldName>;
}

export const NO_FIELDS: TenantFields = { values: {}, given: new Set() };

/** Reads the given fields and adds each invalid one to `errors`. `withoutId`: for defaults, which have no ID and name. */
export function readTenantFields(
  raw: unknown,
  pointer: string,
  errors: InputError[],
  { withoutId = false }: { readonly withoutId?: boolean } = {},
): TenantFields {
  const own = Object.entries(FIELDS).filter(([name]) => !withoutId || (name !== 'tenantId' && name !== 'name'));
  const known = [...own.map(([, [name]]) => name), 'credential'];
  const members = readObject(raw, pointer, known, errors) ?? {};
  const values: Partial<Record<FieldName, unknown>> = {};
  const given = new Set<FieldName>();
  const readAll = (
    source: Readonly<Record<string, unknown>>,
    parent: string,
    table: readonly (readonly [string, readonly [string, FieldParser<unknown>]])[],
  ): void => {
    for (const [name, [member, read]] of table) {
      if (!Object.hasOwn(source, member)) continue;
      given.add(name as FieldName);
      const result = read(source[member]);
      if ('error' in result) errors.push({ pointer: toPointer(parent, member), detail: result.error });
      else values[name as FieldName] = result.value;
    }
  };
  readAll(members, pointer, own);
  if (Object.hasOwn(members, 'credential')) {
    const parent = toPointer(pointer, 'credential');
    const table = Object.entries(CREDENTIAL_FIELDS);
    const names = table.map(([, [member]]) => member);
    const credential = readObject(members.credential, parent, names, errors);
    if (credential !== undefined) readAll(credential, parent, table);
    // Already reported as not an object.
    else for (const [name] of table) given.add(name as FieldName);
  }
  // Each value comes from the parser of its name.
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

/** Merges a tenant's fields with the defaults, and adds each missing one to `errors`. */
export function toTenantSpec(
  own: TenantFields,
  defaults: TenantFields,
  pointer: string,
  errors: InputError[],
): TenantSpec | undefined {
  for (const [name, member] of Object.entries(REQUIRED)) {
    if (own.given.has(name as FieldName) || defaults.given.has(name as FieldName)) continue;
    const hint = name === 'password' ? ' (or set BIOTRACK_CONNECT_PASSWORD or --password-file)' : '';
    errors.push({ pointer: `${pointer}${member}`, detail: `is required${hint}` });
  }
  const { tenantId, name, state, environment, ubi, strategy, username, password, ...rest } = {
    ...defaults.values,
    ...own.values,
  };
  if (tenantId === undefined || name === undefined || state === undefined || environment === undefined) return;
  if (ubi === undefined || strategy === undefined || username === undefined || password === undefined) return;
  const { includeLabs, licenses = 'all', description = DEFAULT_DESCRIPTION, licenseNumber } = rest;
  const credential = { description, username, password, licenseNumber };
  return { tenantId, name, state, environment, ubi, strategy, includeLabs, credential, licenses };
}
