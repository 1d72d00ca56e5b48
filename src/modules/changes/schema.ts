import Type from 'typebox';
import { CHANGE_KINDS } from '../../domain/change-kind.js';
import { COMPANY_REASONS, LICENSE_REASONS } from '../../domain/change-reason.js';
import {
  Body,
  Datetime,
  LongCount,
  Named,
  Nullable,
  pageFields,
  pageQuery,
  Reply,
  ResponseText,
  Uuid,
  WordList,
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
    seq: LongCount({
      description:
        'The number of the change within its tenant, without gaps. For an object of a snapshot: the number of the last change that it includes, 0 before the first one.',
    }),
    kind: ResponseText({
      description:
        "The kind of change, such as `company.created`, `company.archived`, `license.moved` or `license.transferred`. `company.snapshot`, `license.snapshot` and `own_license.snapshot`: an object as it is at the beginning of the feed. `own_license.…` is about the tenant's own licenses. New kinds may be added.",
      examples: ['company.archived'],
    }),
    reason: Nullable(
      ResponseText({
        description: `A reason code. New codes may be added. Of a company: ${toList(COMPANY_REASONS)}. Of a license: ${toList(LICENSE_REASONS)}. Of either: \`edited_by_user\`. Null for the tenant's own licenses and in a snapshot.`,
        examples: ['vanished'],
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
    before: fields('The changed fields before the change. Null for a new object and in a snapshot.'),
    after: fields(
      'The changed fields after the change. All fields in a snapshot, and for a new object those that are set.',
    ),
    actor: Nullable(
      ResponseText({
        description: 'Who made the change. Null in a snapshot.',
        examples: ['api_key:0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11'],
      }),
    ),
    run_id: Nullable(Uuid({ description: 'The sync run that made the change. Null in a snapshot.' })),
    inserted_datetime: Datetime({
      description: 'When the change was made; in a snapshot, when the object was created.',
    }),
  }),
);

export const ChangePageSchema = Named(
  'ChangePage',
  Reply({
    ...pageFields(ChangeSchema),
    cursor: Type.String({
      description:
        'The position after this page. Store it with what you have read, and send it as `page[after]` later to read what has changed since.',
    }),
    epoch: Uuid({ description: 'Changes when a backup was restored. Cursors of another epoch are refused.' }),
  }),
);

export const ChangeListQuerySchema = Body({
  ...pageQuery,
  kind: Type.Optional(WordList(CHANGE_KINDS, 'Return only changes of these kinds.')),
  company_id: Type.Optional(
    Uuid({
      description: 'Return only changes of this company, of the licenses that it holds, and of licenses that leave it.',
    }),
  ),
  run_id: Type.Optional(
    Uuid({
      description:
        'Return only changes that this sync run made. What the first sync created has no changes; `GET …/syncs/{id}/plan` lists it.',
    }),
  ),
});
