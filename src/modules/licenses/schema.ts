import Type from 'typebox';
import { LICENSE_PROBLEMS } from '../../domain/license-problem.js';
import { ERRORS, type ErrorCode } from '../../domain/service-error.js';
import {
  Body,
  Count,
  Datetime,
  DatetimeInput,
  Named,
  Nullable,
  OneOf,
  Page,
  pageQuery,
  Reply,
  Shown,
  Text,
  Uuid,
} from '../../http/primitives.js';
import { licenseFields } from '../companies/schema.js';

const toggles = {
  sync_enabled: 'Keep it up to date: the tenant is synced by itself as long as a license wants that and companies.',
  create_companies: 'Creating it starts the first sync, once the other steps are done.',
  sync_rooms: 'Kept for the host application.',
  notify_on_change: 'Kept for the host application.',
  share_with_leaflink: 'Kept for the host application.',
};
const toggle = (name: keyof typeof toggles, preset: boolean) =>
  Type.Optional(Type.Boolean({ description: `${toggles[name]} ${preset} unless told.`, examples: [preset] }));

const issued = { examples: ['2025-01-31T00:00:00Z'] };
const expires = { description: 'After `issue_datetime`.', examples: ['2027-01-31T00:00:00Z'] };
const intake = { description: 'Kept for the host application.', examples: ['room-7'] };

export const LicenseBodySchema = Body(
  {
    license_number: Text(64, { description: 'One of `GET …/available-licenses`.', examples: ['220091777'] }),
    name: Type.Optional(
      Text(200, { description: "BioTrack's name of the site unless told.", examples: ['Example Mesa Farms'] }),
    ),
    license_type: Type.Optional(
      Text(100, {
        description: "BioTrack's unless told; one of the state's types where those are known.",
        examples: ['Retailer'],
      }),
    ),
    issue_datetime: Type.Optional(DatetimeInput(issued)),
    expiry_datetime: Type.Optional(DatetimeInput(expires)),
    active: Type.Optional(Type.Boolean({ description: 'true unless told.', examples: [true] })),
    credential_id: Type.Optional(
      Uuid({
        description: 'A company-wide credential, kept for the host application; it cannot be deleted meanwhile.',
      }),
    ),
    default_intake_location_id: Type.Optional(Text(100, intake)),
    sync_enabled: toggle('sync_enabled', true),
    create_companies: toggle('create_companies', true),
    sync_rooms: toggle('sync_rooms', true),
    notify_on_change: toggle('notify_on_change', true),
    share_with_leaflink: toggle('share_with_leaflink', false),
  },
  { examples: [{ license_number: '220091777' }] },
);

const change = (name: keyof typeof toggles) =>
  Type.Optional(Type.Boolean({ description: toggles[name], examples: [true] }));

export const LicensePatchSchema = Body(
  {
    name: Type.Optional(
      Nullable(Text(200, { description: "null: BioTrack's name of the site.", examples: ['Example Mesa Farms'] })),
    ),
    license_type: Type.Optional(
      Nullable(
        Text(100, {
          description: "One of the state's types where those are known; null: BioTrack's.",
          examples: ['Retailer'],
        }),
      ),
    ),
    issue_datetime: Type.Optional(Nullable(DatetimeInput(issued))),
    expiry_datetime: Type.Optional(Nullable(DatetimeInput(expires))),
    active: Type.Optional(Type.Boolean({ examples: [true] })),
    credential_id: Type.Optional(
      Nullable(Uuid({ description: 'A company-wide credential, kept for the host application; null for none.' })),
    ),
    default_intake_location_id: Type.Optional(Nullable(Text(100, intake))),
    sync_enabled: change('sync_enabled'),
    create_companies: change('create_companies'),
    sync_rooms: change('sync_rooms'),
    notify_on_change: change('notify_on_change'),
    share_with_leaflink: change('share_with_leaflink'),
    archived: Type.Optional(
      Type.Boolean({ description: '`true` is what DELETE does; `false` brings it back as it was.', examples: [false] }),
    ),
  },
  { minProperties: 1, examples: [{ notify_on_change: false }] },
);

export const MOST_IN_BULK = 500;

export const LicenseBulkBodySchema = Body(
  {
    licenses: Type.Array(LicenseBodySchema, {
      minItems: 1,
      maxItems: MOST_IN_BULK,
      description: 'Each as for one. A row that does not fit the schema refuses them all.',
    }),
  },
  { examples: [{ licenses: [{ license_number: '220091777' }, { license_number: '220091778' }] }] },
);

const LicenseConflict = Named(
  'LicenseConflict',
  Reply(
    {
      reason: OneOf(LICENSE_PROBLEMS, {
        description:
          '`archived`: by a person, here. `missing`: no longer listed. `deleted`: listed as deleted. `other_ubi`: listed under another UBI.',
      }),
      detail: Shown({ description: 'What happened and what to do, for a person.' }),
      since_datetime: Nullable(Datetime({ description: 'Since when, where that is known.' })),
    },
    { description: 'Why a created license is not what it was created as.' },
  ),
);
const nullableConflict = Type.Union([LicenseConflict, Type.Null()]);

export const LicenseSchema = Named(
  'License',
  Reply({
    id: Uuid(),
    license_number: Shown({ examples: ['220091777'] }),
    name: Nullable(Shown()),
    license_type: Nullable(Shown()),
    issue_datetime: Nullable(Datetime()),
    expiry_datetime: Nullable(Datetime()),
    active: Type.Boolean(),
    credential_id: Nullable(Uuid()),
    default_intake_location_id: Nullable(Shown()),
    sync_enabled: Type.Boolean(),
    create_companies: Type.Boolean(),
    sync_rooms: Type.Boolean(),
    notify_on_change: Type.Boolean(),
    share_with_leaflink: Type.Boolean(),
    archived: Type.Boolean({ description: 'Taken away by a person; kept, and not in lists unless asked for.' }),
    archived_datetime: Nullable(Datetime()),
    missing_since_datetime: Nullable(Datetime({ description: 'Since when the state no longer lists it.' })),
    conflict: nullableConflict,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const LicensePageSchema = Page('LicensePage', LicenseSchema);

export const LicenseListQuerySchema = Body({
  ...pageQuery,
  archived: Type.Optional(
    OneOf(['exclude', 'include', 'only'], {
      description: 'Whether archived ones are shown: `exclude` unless told.',
      examples: ['include'],
    }),
  ),
});

export const LicenseBulkResultSchema = Named(
  'LicenseBulkResult',
  Reply({
    created: Count({ description: 'Rows that made a license.' }),
    refused: Count({ description: 'Rows that did not.' }),
    data: Type.Array(
      Reply({
        license_number: Shown({ description: 'As it was sent.' }),
        status: Type.Integer({ description: 'What `POST …/licenses` would have answered.', examples: [201] }),
        license: Type.Union([LicenseSchema, Type.Null()]),
        problem: Type.Union([
          Reply({
            code: OneOf(Object.keys(ERRORS) as ErrorCode[], { description: 'Stable; branch on this.' }),
            title: Shown(),
            detail: Shown({ description: 'For a person.' }),
            reason: Nullable(Shown({ description: 'A finer reason under the code.' })),
            conflicting_id: Nullable(Shown({ description: 'The id of what is in the way.' })),
            errors: Type.Array(
              Reply({ pointer: Shown({ description: 'JSON pointer into the whole body.' }), detail: Shown() }),
            ),
          }),
          Type.Null(),
        ]),
      }),
      { description: 'One for each row, in their order.' },
    ),
  }),
);

export const AvailableLicenseSchema = Named(
  'AvailableLicense',
  Reply({
    ...licenseFields,
    state: OneOf(['available', 'created', 'conflict'], {
      description:
        '`created`: `POST …/licenses` was called for it. `conflict`: the same, and it is no longer what it was then; see `conflict`.',
    }),
    license_id: Nullable(Uuid({ description: 'With `created` and `conflict`: which.' })),
    conflict: nullableConflict,
    active: Type.Boolean({ description: 'Listed by the state and not deleted there.' }),
    missing_since_datetime: Nullable(Datetime({ description: 'Since when the state no longer lists it.' })),
  }),
);

export const AvailableLicenseListSchema = Named(
  'AvailableLicenseList',
  Reply({
    data: Type.Array(AvailableLicenseSchema),
    next_page: Type.Null({ description: 'All of them are on this page: a vendor has few licenses.' }),
  }),
);
