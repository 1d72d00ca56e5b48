import type { ListedLicense } from '../../domain/listed-license.js';
import { type SnakeCase, toFieldPairs, toSnakeCase } from '../../domain/snake-case.js';
import type { CompanyState, LicenseState } from '../../mapping/index.js';

/** The fields of a company that plans write, with the types of their columns: the same names in snake_case. */
export const PLANNED_FIELDS = {
  id: 'uuid',
  origin: 'text',
  sourceName: 'text',
  editedName: 'text',
  displayName: 'text',
  nameGroup: 'text',
  ubi: 'text',
  ubiKey: 'text',
  isOwnCompany: 'boolean',
  archivedDatetime: 'timestamptz',
  supersededBy: 'uuid',
} as const satisfies Record<keyof CompanyState, string>;

/** The fields of a company's license that plans write, besides what the state lists about it. */
export const PLACEMENT_FIELDS = {
  id: 'uuid',
  companyId: 'uuid',
  ownCompanyId: 'uuid',
  namedByCompanyId: 'uuid',
  active: 'boolean',
  missingSinceDatetime: 'timestamptz',
} as const satisfies Record<Exclude<keyof LicenseState, keyof ListedLicense>, string>;

/** What only users write. */
export interface UserFields {
  readonly legalBusinessName: string | null;
  readonly relationshipType: string | null;
  readonly leaflinkCustomerId: string | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
}

const USER_COLUMNS = {
  legalBusinessName: 'text',
  relationshipType: 'text',
  leaflinkCustomerId: 'text',
  customData: 'jsonb',
} as const satisfies Record<keyof UserFields, string>;

export const USER_FIELDS = toFieldPairs(namesOf(USER_COLUMNS));

/** What a PATCH can change. */
export const EDITABLE_FIELDS = toFieldPairs(['name', ...namesOf(USER_COLUMNS)]);

/** Null deletes the user's value; the name then is the one from BioTrack again. */
export type CompanyEdits = Partial<UserFields> & { readonly name?: string | null };

/** A company as callers see it. */
export interface Company extends Omit<CompanyState, 'nameGroup' | 'ubiKey' | 'archivedDatetime'>, UserFields {
  /** The edited name, or else the source name. */
  readonly name: string;
  readonly archivedDatetime: Date | null;
  readonly version: number;
  readonly insertedDatetime: Date;
  readonly updatedDatetime: Date;
}

type ColumnField = Exclude<keyof Company, 'name'>;
const { nameGroup: _nameGroup, ubiKey: _ubiKey, ...shownPlannedFields } = PLANNED_FIELDS;

/** The fields of `Company` that are columns. `name` is computed. */
export const COMPANY_FIELDS = namesOf({
  ...shownPlannedFields,
  ...USER_COLUMNS,
  version: 'integer',
  insertedDatetime: 'timestamptz',
  updatedDatetime: 'timestamptz',
} satisfies Record<ColumnField, string>);

export function namesOf<Name extends string>(fields: Readonly<Record<Name, string>>): Name[] {
  return Object.keys(fields) as Name[];
}

/** Columns with their types, for bulk writes. */
export const toColumns = (fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fields).map(([name, type]) => [toSnakeCase(name), type]));

type Aliased<Name extends string> = { [N in Name]: `${SnakeCase<N>} as ${N}` }[Name];

/** A select list for the query builder whose rows have the names of the fields. */
export const toSelectList = <Name extends string>(names: readonly Name[]): Aliased<Name>[] =>
  names.map((name) => `${toSnakeCase(name)} as ${name}` as Aliased<Name>);
