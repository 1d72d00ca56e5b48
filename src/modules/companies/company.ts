import { namesOf } from '../../domain/snake-case.js';
import type { CompanyState } from '../../mapping/index.js';
import { PLANNED_FIELDS, USER_COLUMNS, type UserFields } from '../../plans/index.js';

export { type CompanyEdits, EDITABLE_FIELDS } from '../../plans/index.js';

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
