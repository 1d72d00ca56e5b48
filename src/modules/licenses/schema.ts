import Type from 'typebox';
import {
  Body,
  Datetime,
  DatetimeInput,
  Named,
  Nullable,
  OneOf,
  Page,
  Reply,
  Shown,
  Text,
  Uuid,
} from '../../http/primitives.js';
import { licenseFields } from '../companies/schema.js';

const toggles = {
  sync_enabled: 'Keep it up to date.',
  create_companies: 'Creating it starts the first sync, once the other steps are done.',
  sync_rooms: 'Kept for the host application.',
  notify_on_change: 'Kept for the host application.',
  share_with_leaflink: 'Kept for the host application.',
};
const toggle = (name: keyof typeof toggles, preset: boolean) =>
  Type.Optional(Type.Boolean({ description: `${toggles[name]} ${preset} unless told.` }));

export const LicenseBody = Body(
  {
    license_number: Text(64, { description: 'One of `GET …/available-licenses`.', examples: ['220091777'] }),
    name: Type.Optional(Text(200, { description: "BioTrack's name of the site unless told." })),
    license_type: Type.Optional(
      Text(100, { description: "BioTrack's unless told; one of the state's types where those are known." }),
    ),
    issue_datetime: Type.Optional(DatetimeInput()),
    expiry_datetime: Type.Optional(DatetimeInput({ description: 'After `issue_datetime`.' })),
    active: Type.Optional(Type.Boolean({ description: 'true unless told.' })),
    credential_id: Type.Optional(Uuid({ description: 'The credential to work with.' })),
    default_intake_location_id: Type.Optional(Text(100, { description: 'Kept for the host application.' })),
    sync_enabled: toggle('sync_enabled', true),
    create_companies: toggle('create_companies', true),
    sync_rooms: toggle('sync_rooms', true),
    notify_on_change: toggle('notify_on_change', true),
    share_with_leaflink: toggle('share_with_leaflink', false),
  },
  { examples: [{ license_number: '220091777' }] },
);

export const License = Named(
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
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const LicensePage = Page('LicensePage', License);

export const AvailableLicense = Named(
  'AvailableLicense',
  Reply({
    ...licenseFields,
    state: OneOf(['available', 'created'], { description: '`created`: `POST …/licenses` was called for it.' }),
    license_id: Nullable(Uuid({ description: 'With `created`: which.' })),
    active: Type.Boolean({ description: 'Not deleted by the state.' }),
  }),
);

export const AvailableLicenseList = Named(
  'AvailableLicenseList',
  Reply({
    data: Type.Array(AvailableLicense),
    next_page: Type.Null({ description: 'All of them are on this page: a vendor has few licenses.' }),
  }),
);
