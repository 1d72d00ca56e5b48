import Type, { type TSchema } from 'typebox';
import type { LicenseSettings } from '../../domain/license.js';
import { LICENSE_PROBLEMS, LIST_PROBLEMS } from '../../domain/license-problem.js';
import { ERRORS, type ErrorCode } from '../../domain/service-error.js';
import type { SnakeCase } from '../../domain/snake-case.js';
import {
  Body,
  Count,
  Datetime,
  DatetimeInput,
  etagField,
  KnownOf,
  MessageSchema,
  Named,
  Nullable,
  NullableObject,
  OneOf,
  Page,
  pageQuery,
  Reply,
  ResponseText,
  Text,
  Uuid,
} from '../../http/primitives.js';
import { FieldErrorSchema } from '../../http/problem.js';
import { licenseFields } from '../companies/schema.js';

type SettingSchemas = Record<SnakeCase<keyof LicenseSettings>, TSchema>;

const stored = 'Stored for the host application.';
const toggles = {
  sync_enabled:
    'Whether the license keeps the sync schedule running. Syncs are scheduled while at least one license has both `sync_enabled` and `create_companies`.',
  create_companies: 'Whether to create companies. The first such license starts the first sync once setup is complete.',
  sync_rooms: stored,
  notify_on_change: stored,
  share_with_leaflink: stored,
};
const toggle = (name: keyof typeof toggles, preset: boolean) =>
  Type.Optional(Type.Boolean({ description: `${toggles[name]} Defaults to \`${preset}\`.`, examples: [preset] }));

const issued = { examples: ['2025-01-31T00:00:00Z'] };
const expires = { description: 'Must be after `issue_datetime`.', examples: ['2027-01-31T00:00:00Z'] };
const intake = { description: stored, examples: ['room-7'] };
const credential = `The id of a company credential. ${stored} The credential cannot be deleted while a license uses it.`;
const type = 'Must be one of the license types of the state, if `GET /v1/states` returns any.';

export const LicenseBodySchema = Named(
  'LicenseInput',
  Body(
    {
      license_number: Text(64, {
        description: 'A number that `GET …/available-licenses` returns.',
        examples: ['220091777'],
      }),
      ...({
        name: Type.Optional(
          Text(200, { description: 'Defaults to the name that the state lists.', examples: ['Example Mesa Farms'] }),
        ),
        license_type: Type.Optional(
          Text(100, { description: `${type} Defaults to the type that the state lists.`, examples: ['Retailer'] }),
        ),
        issue_datetime: Type.Optional(DatetimeInput(issued)),
        expiry_datetime: Type.Optional(DatetimeInput(expires)),
        active: Type.Optional(Type.Boolean({ description: `${stored} Defaults to \`true\`.`, examples: [true] })),
        credential_id: Type.Optional(Uuid({ description: credential })),
        default_intake_location_id: Type.Optional(Text(100, intake)),
        sync_enabled: toggle('sync_enabled', true),
        create_companies: toggle('create_companies', true),
        sync_rooms: toggle('sync_rooms', true),
        notify_on_change: toggle('notify_on_change', true),
        share_with_leaflink: toggle('share_with_leaflink', false),
      } satisfies SettingSchemas),
    },
    { examples: [{ license_number: '220091777' }] },
  ),
);

const change = (name: keyof typeof toggles) =>
  Type.Optional(Type.Boolean({ description: toggles[name], examples: [true] }));

export const settingPatches = {
  name: Type.Optional(
    Nullable(Text(200, { description: 'Null sets the name that the state lists.', examples: ['Example Mesa Farms'] })),
  ),
  license_type: Type.Optional(
    Nullable(Text(100, { description: `${type} Null sets the type that the state lists.`, examples: ['Retailer'] })),
  ),
  issue_datetime: Type.Optional(Nullable(DatetimeInput(issued))),
  expiry_datetime: Type.Optional(Nullable(DatetimeInput(expires))),
  active: Type.Optional(Type.Boolean({ description: stored, examples: [true] })),
  credential_id: Type.Optional(Nullable(Uuid({ description: credential }))),
  default_intake_location_id: Type.Optional(Nullable(Text(100, intake))),
  sync_enabled: change('sync_enabled'),
  create_companies: change('create_companies'),
  sync_rooms: change('sync_rooms'),
  notify_on_change: change('notify_on_change'),
  share_with_leaflink: change('share_with_leaflink'),
} satisfies SettingSchemas;

export const LicensePatchSchema = Named(
  'LicensePatch',
  Body(
    {
      ...settingPatches,
      archived: Type.Optional(
        Type.Boolean({
          description: '`true` archives the license, as DELETE does. `false` restores it with its settings.',
          examples: [false],
        }),
      ),
    },
    { minProperties: 1, examples: [{ notify_on_change: false }] },
  ),
);

export const MAX_BULK_LICENSES = 500;

/** The settings of a license in responses. */
export const settingFields = {
  name: Nullable(ResponseText()),
  license_type: Nullable(ResponseText()),
  issue_datetime: Nullable(Datetime()),
  expiry_datetime: Nullable(Datetime()),
  active: Type.Boolean({ description: stored }),
  credential_id: Nullable(Uuid({ description: `The id of a company credential. ${stored}` })),
  default_intake_location_id: Nullable(ResponseText({ description: stored })),
  sync_enabled: Type.Boolean({ description: toggles.sync_enabled }),
  create_companies: Type.Boolean({ description: toggles.create_companies }),
  sync_rooms: Type.Boolean({ description: stored }),
  notify_on_change: Type.Boolean({ description: stored }),
  share_with_leaflink: Type.Boolean({ description: stored }),
} satisfies SettingSchemas;

export const LicenseBulkBodySchema = Named(
  'LicenseBulkInput',
  Body(
    {
      licenses: Type.Array(LicenseBodySchema, {
        minItems: 1,
        maxItems: MAX_BULK_LICENSES,
        description:
          'Each item has the fields of `POST …/licenses`. If one item does not match the schema, the whole request is rejected.',
      }),
    },
    { examples: [{ licenses: [{ license_number: '220091777' }, { license_number: '220091778' }] }] },
  ),
);

const LicenseProblem = Named(
  'LicenseProblem',
  Reply(
    {
      reason: KnownOf(LICENSE_PROBLEMS, {
        description:
          '`archived`: archived here by a user. `missing`: the state no longer lists it. `deleted`: the state lists it as deleted. `other_ubi`: the state lists it under another UBI.',
      }),
      message: MessageSchema,
      since_datetime: Nullable(Datetime({ description: 'When the problem started. Null if unknown.' })),
    },
    {
      description:
        "Why a created license no longer matches the state's list, or why a listed license cannot be created.",
    },
  ),
);
const nullableProblem = NullableObject(LicenseProblem);

export const LicenseSchema = Named(
  'License',
  Reply({
    id: Uuid(),
    license_number: ResponseText({ examples: ['220091777'] }),
    ...settingFields,
    archived: Type.Boolean({ description: 'Whether a user archived it. Lists exclude archived licenses by default.' }),
    archived_datetime: Nullable(Datetime({ description: 'Null if it is not archived.' })),
    missing_since_datetime: Nullable(
      Datetime({ description: "When the license was first missing from the state's list. Null while it is listed." }),
    ),
    problem: nullableProblem,
    ...etagField,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const LicensePageSchema = Page('LicensePage', LicenseSchema);

export const LicenseListQuerySchema = Body({
  ...pageQuery,
  archived: Type.Optional(
    OneOf(['exclude', 'include', 'only'], {
      description: 'Whether to include archived licenses. Defaults to `exclude`.',
      examples: ['include'],
    }),
  ),
});

export const LicenseBulkResultSchema = Named(
  'LicenseBulkResult',
  Reply({
    created: Count({ description: 'The number of created licenses.' }),
    rejected: Count({ description: 'The number of rejected licenses.' }),
    data: Type.Array(
      Named(
        'LicenseBulkItem',
        Reply({
          license_number: ResponseText({ description: 'The number as it was sent.' }),
          status: Type.Integer({
            format: 'int32',
            description: 'The status that `POST …/licenses` would return.',
            examples: [201],
          }),
          license: NullableObject(LicenseSchema),
          problem: NullableObject(
            Named(
              'LicenseBulkProblem',
              Reply({
                code: KnownOf(Object.keys(ERRORS) as ErrorCode[], { description: 'A stable error code.' }),
                title: ResponseText(),
                detail: ResponseText({ description: 'Text for users.' }),
                reason: Nullable(ResponseText({ description: 'A more specific reason.' })),
                conflicting_id: Nullable(ResponseText({ description: 'The id of the object that caused the error.' })),
                errors: Type.Array(FieldErrorSchema),
              }),
            ),
          ),
        }),
      ),
      { description: 'One result per license, in the order of the request.' },
    ),
  }),
);

export const AvailableLicenseSchema = Named(
  'AvailableLicense',
  Reply({
    ...licenseFields,
    state: KnownOf(['available', 'unavailable', 'created', 'problem'], {
      description:
        "`available`: can be created. `unavailable`: cannot be created; see `problem`. `created`: was created. `problem`: was created, but no longer matches the state's list; see `problem`.",
    }),
    license_id: Nullable(Uuid({ description: 'The id of the created license. Null if it was not created.' })),
    problem: nullableProblem,
    active: Type.Boolean({ description: 'Whether the state lists the license and does not flag it as deleted.' }),
    missing_since_datetime: Nullable(
      Datetime({ description: "When the license was first missing from the state's list. Null while it is listed." }),
    ),
  }),
);

export const DirectoryStatusSchema = Named(
  'DirectoryStatus',
  Reply(
    {
      age_seconds: Nullable(
        Count({
          description:
            'Seconds since the state last sent the list or confirmed that it has not changed, by the database clock. Null if the list was never read.',
          examples: [42],
        }),
      ),
      problem: NullableObject(
        Named(
          'ListProblem',
          Reply({
            reason: KnownOf(LIST_PROBLEMS, {
              description:
                '`none_listed`: the state lists no license under the UBI of the tenant. `all_deleted`: it lists all of them as deleted.',
            }),
            message: MessageSchema,
          }),
        ),
        { description: 'Why no listed license can be created. Null if at least one is listed and not deleted.' },
      ),
    },
    { description: "The mirrored copy of the state's list that this response was made from." },
  ),
);

export const AvailableLicenseListSchema = Named(
  'AvailableLicenseList',
  Reply({
    data: Type.Array(AvailableLicenseSchema),
    list: DirectoryStatusSchema,
    next_page: Nullable(Type.String({ format: 'uri', description: 'Always null: the list is not paginated.' })),
  }),
);
