import type { ListedLicense } from '../domain/listed-license.js';
import { namesOf, toFieldPairs } from '../domain/snake-case.js';
import type { CompanyState, LicenseState } from '../mapping/index.js';

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
  namingUbiKey: 'text',
  active: 'boolean',
  missingSinceDatetime: 'timestamptz',
} as const satisfies Record<Exclude<keyof LicenseState, keyof ListedLicense>, string>;

/** What only users write about a company. */
export interface UserFields {
  readonly legalBusinessName: string | null;
  readonly relationshipType: string | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
}

export const USER_COLUMNS = {
  legalBusinessName: 'text',
  relationshipType: 'text',
  customData: 'jsonb',
} as const satisfies Record<keyof UserFields, string>;

export const USER_FIELDS = toFieldPairs(namesOf(USER_COLUMNS));

/** What a PATCH can change of a company itself. */
export const EDITABLE_FIELDS = toFieldPairs(['name', ...namesOf(USER_COLUMNS)]);

/** Null deletes the user's value; the name then is the one from BioTrack again. */
export type CompanyEdits = Partial<UserFields> & { readonly name?: string | null };
