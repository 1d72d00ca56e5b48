import Type from 'typebox';
import { ACTIVITIES } from '../../domain/vendor.js';
import {
  Body,
  Datetime,
  Line,
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

const ORIGINS = ['biotrack', 'manual'] as const;

export const Address = Named(
  'Address',
  Reply({
    line1: Nullable(Shown({ examples: ['14 Example Rd'] })),
    line2: Nullable(Shown()),
    city: Nullable(Shown({ examples: ['Exampleville'] })),
    state: Nullable(Shown({ examples: ['NM'] })),
    zip: Nullable(Shown({ description: 'Five or nine digits as the state writes them; leading zeros count.' })),
  }),
);

/** What BioTrack says of a license, wherever one is shown. */
export const licenseFields = {
  license_number: Shown({ description: 'As the state writes it; leading zeros count.', examples: ['220091777'] }),
  name: Nullable(Shown({ description: 'The trade name of the site.' })),
  license_type: Nullable(Shown({ description: "What the state's code means; null for an unknown code." })),
  license_type_raw: Nullable(Shown({ description: "The state's code as it came." })),
  activities: Type.Array(OneOf(ACTIVITIES), { description: 'What the license allows, as far as BioTrack flags it.' }),
  address: Address,
  ubi: Nullable(Shown({ description: 'The vendor that holds it; null when the state names none.' })),
};

export const CompanyLicense = Named(
  'CompanyLicense',
  Reply({
    id: Uuid(),
    ...licenseFields,
    active: Type.Boolean({ description: 'Listed by the state and not deleted there.' }),
    missing_since_datetime: Nullable(Datetime({ description: 'Since when the state no longer lists it.' })),
  }),
);

export const Company = Named(
  'Company',
  Reply({
    id: Uuid({
      description: 'Given once, and kept through renames, sales, switches of strategy, vanishing and return.',
    }),
    name: Shown({ description: 'What a person said, else what BioTrack says.' }),
    source_name: Nullable(
      Shown({ description: 'What BioTrack says, whatever a person said; null for a company made by hand.' }),
    ),
    display_name: Shown({ description: "Unique among the tenant's active companies." }),
    legal_business_name: Nullable(Shown()),
    ubi: Nullable(Shown({ description: 'The one UBI of its licenses; null without one, or with several.' })),
    origin: OneOf(ORIGINS),
    is_own_company: Type.Boolean({ description: "It holds a license of the tenant's own UBI." }),
    archived: Type.Boolean({ description: 'It holds no active license under the present strategy. Never deleted.' }),
    superseded_by: Nullable(Uuid({ description: 'The company that holds its license now.' })),
    relationship_type: Nullable(Shown()),
    leaflink_customer_id: Nullable(Shown()),
    custom_data: Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true }),
    overrides: Type.Array(Shown(), { description: 'The fields that a person edited; they win over BioTrack.' }),
    licenses: Type.Array(CompanyLicense, {
      description: 'The active ones; with `licenses=all` the inactive ones too.',
    }),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const CompanyPage = Page('CompanyPage', Company);

const LICENSES_SHOWN = ['active', 'all'] as const;

export const CompanyQuery = Body({
  licenses: Type.Optional(OneOf(LICENSES_SHOWN, { description: 'Which licenses to show; `active` unless told.' })),
});

export const CompanyListQuery = Body({
  ...pageQuery,
  name: Type.Optional(Line(200, { description: 'Part of the name; upper and lower case are the same.' })),
  ubi: Type.Optional(Text(64, { description: 'Exactly this UBI, white space aside.' })),
  license_number: Type.Optional(Text(64, { description: 'Holds exactly this license, white space aside.' })),
  city: Type.Optional(
    Line(100, { description: 'Has an active license in this city; upper and lower case are the same.' }),
  ),
  origin: Type.Optional(OneOf(ORIGINS)),
  archived: Type.Optional(OneOf(['exclude', 'include', 'only'], { description: '`exclude` unless told.' })),
  updated_datetime: Type.Optional(
    Type.String({
      maxLength: 90,
      description: '`from,to`, either side may be empty: updated at or after `from`, before `to` (RFC 3339).',
      examples: ['2026-11-24T00:00:00Z,'],
    }),
  ),
  licenses: Type.Optional(OneOf(LICENSES_SHOWN, { description: 'Which licenses to show; `active` unless told.' })),
});
