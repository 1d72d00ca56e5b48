import Type from 'typebox';
import { COMPANY_REASONS, LICENSE_REASONS } from '../../domain/change-reason.js';
import {
  Body,
  Count,
  Datetime,
  Named,
  Nullable,
  Page,
  pageQuery,
  Reply,
  ResponseText,
  Uuid,
} from '../../http/primitives.js';

const fields = (description: string) =>
  Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true, description });

const toList = (reasons: Readonly<Record<string, string>>): string =>
  Object.entries(reasons)
    .map(([code, text]) => `\`${code}\`: ${text}`)
    .join('; ');

export const ChangeSchema = Named(
  'Change',
  Reply({
    seq: Count({ description: 'The number of the change within its tenant. Starts at 1, without gaps.' }),
    kind: ResponseText({
      description:
        "The kind of change, such as `company.created`, `company.archived`, `license.moved` or `license.transferred`. `own_license.…` is about the tenant's own licenses. New kinds may be added.",
      examples: ['company.created'],
    }),
    reason: Nullable(
      ResponseText({
        description: `A reason code. New codes may be added. Of a company: ${toList(COMPANY_REASONS)}. Of a license: ${toList(LICENSE_REASONS)}. Of either: \`edited_by_user\`. Null for the tenant's own licenses.`,
        examples: ['first_seen'],
      }),
    ),
    company_id: Nullable(
      Uuid({ description: 'The affected company, or the company that holds the license after the change.' }),
    ),
    license_id: Nullable(
      Uuid({
        description:
          "The affected license: a license of a company, or with `own_license.…` one of the tenant's own licenses.",
      }),
    ),
    before: fields('The changed fields before the change. Null for a new object.'),
    after: fields('The changed fields after the change. All fields for a new object.'),
    actor: ResponseText({
      description: 'Who made the change.',
      examples: ['api_key:0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11'],
    }),
    run_id: Nullable(Uuid({ description: 'The sync run that made the change.' })),
    inserted_datetime: Datetime(),
  }),
);

export const ChangePageSchema = Page('ChangePage', ChangeSchema);

export const ChangeListQuerySchema = Body({
  ...pageQuery,
  after_seq: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Return only changes with a higher `seq`. Clients store the last `seq` that they have processed.',
    }),
  ),
});
