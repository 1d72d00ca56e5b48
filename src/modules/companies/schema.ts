import Type from 'typebox';
import { HOLDING_RULES, REJECTIONS, VENDOR_VERDICTS } from '../../domain/holding.js';
import { STRATEGIES } from '../../domain/strategy.js';
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

export const AddressSchema = Named(
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
  address: AddressSchema,
  ubi: Nullable(Shown({ description: 'The vendor that holds it; null when the state names none.' })),
};

export const CompanyLicenseSchema = Named(
  'CompanyLicense',
  Reply({
    id: Uuid(),
    ...licenseFields,
    active: Type.Boolean({ description: 'Listed by the state and not deleted there.' }),
    missing_since_datetime: Nullable(Datetime({ description: 'Since when the state no longer lists it.' })),
  }),
);

export const CompanySchema = Named(
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
    licenses: Type.Array(CompanyLicenseSchema, {
      description: 'The active ones; with `licenses=all` the inactive ones too.',
    }),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

const clears = 'Null takes it back.';

export const CompanyBodySchema = Body(
  {
    name: Text(200, { description: 'What it is called.', examples: ['Example Mesa Farms'] }),
    license_numbers: Type.Optional(
      Type.Array(Text(64, { examples: ['220091777'] }), {
        maxItems: 200,
        description:
          'Licenses that shall be held by this company, whatever the strategy. They need not be listed yet; one that an active company holds is refused.',
      }),
    ),
  },
  { examples: [{ name: 'Example Mesa Farms', license_numbers: ['999000111'] }] },
);

export const CompanyPatchSchema = Body(
  {
    name: Type.Optional(
      Nullable(Text(200, { description: 'Wins over what BioTrack says; null returns to that.', examples: ['Mesa'] })),
    ),
    legal_business_name: Type.Optional(Nullable(Text(200, { description: clears }))),
    relationship_type: Type.Optional(
      Nullable(Text(100, { description: `In the host application's words. ${clears}`, examples: ['customer'] })),
    ),
    leaflink_customer_id: Type.Optional(Nullable(Text(100, { description: clears }))),
    custom_data: Type.Optional(
      Type.Unsafe<Record<string, unknown> | null>({
        type: ['object', 'null'],
        additionalProperties: true,
        maxProperties: 200,
        description: `Whatever the host application keeps with it. Replaced as a whole. ${clears}`,
      }),
    ),
  },
  { minProperties: 1, examples: [{ relationship_type: 'customer' }] },
);

export const CompanyPageSchema = Page('CompanyPage', CompanySchema);

const LICENSES_SHOWN = ['active', 'all'] as const;

export const CompanyQuerySchema = Body({
  licenses: Type.Optional(OneOf(LICENSES_SHOWN, { description: 'Which licenses to show; `active` unless told.' })),
});

export const CompanyListQuerySchema = Body({
  ...pageQuery,
  name: Type.Optional(Line(200, { description: 'Part of the name; upper and lower case are the same.' })),
  ubi: Type.Optional(Text(64, { description: 'Exactly this UBI, white space aside.' })),
  license_number: Type.Optional(Text(64, { description: 'Holds exactly this license, white space aside.' })),
  city: Type.Optional(
    Line(100, { description: 'Has an active license in this city; upper and lower case are the same.' }),
  ),
  origin: Type.Optional(OneOf(ORIGINS, { description: 'Where it comes from: a vendor of the state, or a person.' })),
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

const decided = Nullable(
  Type.Unsafe<{ reason: string | null; actor: string; run_id: string | null; datetime: string } | null>({
    type: 'object',
    description: 'Who decided it and when: a person, or whoever asked for the run.',
    properties: {
      reason: { type: ['string', 'null'] },
      actor: { type: 'string' },
      run_id: { type: ['string', 'null'] },
      datetime: { type: 'string', format: 'date-time' },
    },
    required: ['reason', 'actor', 'run_id', 'datetime'],
  }),
);

export const CompanyExplanationSchema = Named(
  'CompanyExplanation',
  Reply({
    id: Uuid(),
    origin: OneOf(ORIGINS),
    archived: Type.Boolean(),
    superseded_by: Nullable(Uuid()),
    strategy: Nullable(OneOf(STRATEGIES, { description: 'The strategy in use.' })),
    created: decided,
    own_company_of: Nullable(
      Shown({ description: 'The license whose own company it is, whoever holds that license now.' }),
    ),
    stands_for_ubi: Nullable(Shown({ description: 'The UBI, normalised, whose vendor company it is.' })),
    vendor_candidates: Type.Array(
      Reply({
        license_number: Shown(),
        transaction_id_original: Nullable(
          Shown({ description: "The state's number at the license's creation: the lowest is the oldest." }),
        ),
        company_id: Nullable(Uuid({ description: "The license's own company." })),
        verdict: OneOf(VENDOR_VERDICTS),
      }),
      { description: 'Which companies could have stood for that UBI, the oldest license first.' },
    ),
    licenses: Type.Array(
      Reply({
        license_number: Shown({ description: 'As the state writes it.' }),
        license_key: Shown({ description: 'The license number, normalised: what identifies it.' }),
        ubi: Nullable(Shown({ description: 'As the state writes it.' })),
        ubi_key: Nullable(Shown({ description: 'The UBI, normalised; null for a blank one, which groups nothing.' })),
        active: Type.Boolean(),
        rule: OneOf(HOLDING_RULES, { description: 'Why this company holds it.' }),
        rejected: Type.Array(Reply({ company_id: Uuid(), reason: OneOf(REJECTIONS) }), {
          description: 'Companies that could hold it as well, and why they do not.',
        }),
        decided,
      }),
      { description: 'All its licenses, the inactive ones too.' },
    ),
  }),
);

const until = Nullable(Datetime({ description: 'Null: still so.' }));

export const CompanyHistorySchema = Named(
  'CompanyHistory',
  Reply({
    names: Type.Array(
      Reply({
        name: Shown(),
        since_datetime: Datetime(),
        until_datetime: until,
        actor: Shown({ description: 'Who asked for the sync, or edited it.' }),
        run_id: Nullable(Uuid()),
      }),
    ),
    licenses: Type.Array(
      Reply({
        license_id: Uuid(),
        license_number: Shown(),
        since_datetime: Datetime(),
        since_reason: Nullable(Shown({ examples: ['first_seen'] })),
        from_company_id: Nullable(Uuid({ description: 'The company that held it before.' })),
        until_datetime: until,
        until_reason: Nullable(Shown({ examples: ['sold'] })),
        to_company_id: Nullable(Uuid({ description: 'The company that held it then.' })),
      }),
      { description: 'The licenses that it held, in the order in which they came.' },
    ),
    owners: Type.Array(Reply({ license_number: Shown(), ubi: Nullable(Shown()), until_datetime: until }), {
      description: 'The vendors that held these licenses, as the state listed them, the earliest first.',
    }),
    cut: Type.Boolean({ description: 'The beginning is left out: only the latest 2,000 changes are told.' }),
  }),
);
