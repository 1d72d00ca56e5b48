import Type, { type TSchema } from 'typebox';
import { HOLDING_RULES, REJECTIONS, VENDOR_VERDICTS } from '../../domain/holding.js';
import type { ShownListing } from '../../domain/license-fields.js';
import type { SnakeCase } from '../../domain/snake-case.js';
import { STRATEGIES } from '../../domain/strategy.js';
import { ACTIVITIES } from '../../domain/vendor.js';
import {
  Body,
  Count,
  Datetime,
  etagField,
  KnownOf,
  Line,
  Named,
  Nullable,
  NullableObject,
  OneOf,
  pageFields,
  pageQuery,
  Reply,
  ResponseText,
  Text,
  Uuid,
} from '../../http/primitives.js';

const ORIGINS = ['biotrack', 'manual'] as const;
const SORTS = ['name', 'updated_datetime', 'licenses'] as const;

export const AddressSchema = Named(
  'Address',
  Reply({
    line1: Nullable(ResponseText({ examples: ['14 Example Rd'] })),
    line2: Nullable(ResponseText()),
    city: Nullable(ResponseText({ examples: ['Exampleville'] })),
    state: Nullable(ResponseText({ examples: ['NM'] })),
    zip: Nullable(
      ResponseText({ description: 'Five or nine digits as the state lists them, including leading zeros.' }),
    ),
  }),
);

/** What the state lists about a license, for every reply that shows one. */
export const licenseFields = {
  license_number: ResponseText({
    description: 'As the state lists it, including leading zeros.',
    examples: ['220091777'],
  }),
  name: Nullable(ResponseText({ description: 'The trade name of the site.' })),
  license_type: Nullable(
    ResponseText({
      description:
        "The label of the state's code, see `GET /v1/states`; `Type 42` for the unknown code 42. Null if the state lists none. In the change feed, null for an unknown code.",
      examples: ['Retailer'],
    }),
  ),
  license_type_raw: Nullable(ResponseText({ description: "The state's code for the license type." })),
  activities: Type.Array(KnownOf(ACTIVITIES), { description: 'The activities that BioTrack flags for the license.' }),
  address: AddressSchema,
  ubi: Nullable(
    ResponseText({ description: 'The UBI of the vendor that holds the license. Null if the state lists none.' }),
  ),
} satisfies Record<SnakeCase<keyof ShownListing>, TSchema>;

export const CompanyLicenseSchema = Named(
  'CompanyLicense',
  Reply({
    id: Uuid(),
    ...licenseFields,
    active: Type.Boolean({ description: 'Whether the state lists the license and does not flag it as deleted.' }),
    leaflink_customer_id: Nullable(
      ResponseText({
        description:
          'Set by users. Belongs to the license number: it stays through sales, disappearance, return and strategy switches.',
      }),
    ),
    missing_since_datetime: Nullable(
      Datetime({ description: "When the license was first missing from the state's list. Null while it is listed." }),
    ),
  }),
);

export const CompanySchema = Named(
  'Company',
  Reply({
    id: Uuid({
      description: 'Never changes, not even after a rename, a sale, a strategy switch or a reactivation.',
    }),
    name: ResponseText({ description: 'The edited name if there is one, otherwise the name from BioTrack.' }),
    source_name: Nullable(
      ResponseText({ description: 'The name from BioTrack, even if the name was edited. Null for a manual company.' }),
    ),
    display_name: ResponseText({ description: "Unique among the tenant's active companies." }),
    legal_business_name: Nullable(ResponseText({ description: 'Set by users.' })),
    ubi: Nullable(
      ResponseText({ description: 'The UBI that all its licenses share. Null if they have none or several.' }),
    ),
    origin: KnownOf(ORIGINS, { description: '`manual` for a company created with `POST …/companies`.' }),
    is_own_company: Type.Boolean({ description: "Whether it holds a license of the tenant's own UBI." }),
    archived: Type.Boolean({
      description: 'Whether it holds no active license under the current strategy. Companies are never deleted.',
    }),
    superseded_by: Nullable(Uuid({ description: 'The company that now holds the licenses of this archived company.' })),
    relationship_type: Nullable(ResponseText({ description: 'A term of the host application. Set by users.' })),
    leaflink_customer_id: Nullable(
      ResponseText({
        description:
          'The LeafLink customer of its only active license. Null if it has none or several: see the field of each license.',
      }),
    ),
    custom_data: Type.Unsafe<Record<string, unknown> | null>({
      type: ['object', 'null'],
      additionalProperties: true,
      description: 'Any JSON object. Set by users.',
    }),
    overrides: Type.Array(ResponseText(), {
      description: 'The fields that users edited. They override the values from BioTrack.',
    }),
    licenses: Type.Array(CompanyLicenseSchema, {
      description: 'The active licenses. With `licenses=all`, also the inactive ones.',
    }),
    ...etagField,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime({
      description: 'When the company or one of its licenses last changed. Its ETag changes at the same times.',
    }),
  }),
);

const clears = 'Null deletes the value.';

export const CompanyBodySchema = Named(
  'CompanyInput',
  Body(
    {
      name: Text(200, { description: 'The name of the company.', examples: ['Example Mesa Farms'] }),
      license_numbers: Type.Optional(
        Type.Array(Text(64, { examples: ['220091777'] }), {
          maxItems: 200,
          description:
            'The licenses that this company holds under either strategy. They do not have to be listed yet. A license that an active company holds is rejected.',
        }),
      ),
    },
    { examples: [{ name: 'Example Mesa Farms', license_numbers: ['999000111'] }] },
  ),
);

export const CompanyPatchSchema = Named(
  'CompanyPatch',
  Body(
    {
      name: Type.Optional(
        Nullable(
          Text(200, {
            description: 'Overrides the name from BioTrack. Null restores the name from BioTrack.',
            examples: ['Mesa'],
          }),
        ),
      ),
      legal_business_name: Type.Optional(Nullable(Text(200, { description: clears }))),
      relationship_type: Type.Optional(
        Nullable(Text(100, { description: `A term of the host application. ${clears}`, examples: ['customer'] })),
      ),
      leaflink_customer_id: Type.Optional(
        Nullable(
          Text(100, {
            description: `Only for a company with exactly one active license, to which it belongs. Unique in the tenant. Null removes it from the only license that has one.`,
          }),
        ),
      ),
      custom_data: Type.Optional(
        Type.Unsafe<Record<string, unknown> | null>({
          type: ['object', 'null'],
          additionalProperties: true,
          maxProperties: 200,
          description: `Any JSON object with up to 200 properties and 8 KiB. A PATCH replaces the whole object. ${clears}`,
        }),
      ),
    },
    { minProperties: 1, examples: [{ relationship_type: 'customer' }] },
  ),
);

export const CompanyPageSchema = Named(
  'CompanyPage',
  Reply({
    ...pageFields(CompanySchema),
    total: Type.Optional(
      Count({ description: 'The number of companies on all pages that match the filters. Only with `include=total`.' }),
    ),
  }),
);

const LICENSES_SHOWN = ['active', 'all'] as const;
const licensesQuery = Type.Optional(
  OneOf(LICENSES_SHOWN, { description: 'Which licenses to include. Defaults to `active`.' }),
);

export const CompanyQuerySchema = Body({
  licenses: licensesQuery,
});

export const CompanyListQuerySchema = Body({
  ...pageQuery,
  q: Type.Optional(
    Line(200, {
      description:
        'Search. Companies that contain every word in their names, legal business name or UBI, or in the number, name, city or UBI of a shown license. A word can be any part of a text; different words can match in different places. Ignores case, accents, character width and punctuation, so `603123456` finds `603-123-456`; `%`, `_` and `\\` match themselves. At most 10 words. Empty is the same as absent; only punctuation returns 400.',
      examples: ['mesa 603-123'],
    }),
  ),
  name: Type.Optional(Line(200, { description: 'Companies whose name contains this text, ignoring case.' })),
  ubi: Type.Optional(
    Text(64, { description: 'Companies with this UBI. Ignores leading, trailing and repeated spaces.' }),
  ),
  license_number: Type.Optional(
    Text(64, { description: 'The company that holds this license. Ignores leading, trailing and repeated spaces.' }),
  ),
  city: Type.Optional(Line(100, { description: 'Companies with a shown license in this city, ignoring case.' })),
  license_type: Type.Optional(
    Text(100, {
      description:
        'Companies with a shown license of this type: exactly the `license_type` or the `license_type_raw` of the license.',
      examples: ['Retailer'],
    }),
  ),
  activity: Type.Optional(
    OneOf(ACTIVITIES, { description: 'Companies with a shown license that BioTrack flags for this activity.' }),
  ),
  origin: Type.Optional(
    OneOf(ORIGINS, { description: "`biotrack`: created from the state's list. `manual`: created by a user." }),
  ),
  is_own_company: Type.Optional(
    Type.Boolean({ description: "Whether the company holds a license of the tenant's own UBI." }),
  ),
  has_conflict: Type.Optional(
    Type.Boolean({ description: 'Whether the company is one of several that claim one vendor in an open conflict.' }),
  ),
  ids: Type.Optional(
    Type.String({
      minLength: 1,
      // Longer than 100 UUIDs, so that the reply names their number, and shorter than the limit of a URL.
      maxLength: 7_000,
      description:
        'Companies with these ids: at most 100 UUIDs, separated by commas. Ids that do not exist are ignored.',
      examples: ['0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11,0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a12'],
    }),
  ),
  archived: Type.Optional(
    OneOf(['exclude', 'include', 'only'], {
      description: 'Whether to include archived companies. Defaults to `exclude`.',
    }),
  ),
  updated_datetime: Type.Optional(
    Type.String({
      maxLength: 90,
      description:
        'A range `from,to` of RFC 3339 datetimes: updated at or after `from` and before `to`. Either side can be empty. To poll for changes, use the latest `updated_datetime` that you have read as `from`, with `archived=include`: no change is missed, and the last ones are returned again.',
      examples: ['2026-11-24T00:00:00Z,'],
    }),
  ),
  licenses: licensesQuery,
  sort: Type.Optional(
    OneOf(SORTS, {
      description:
        '`name`: by display name, ignoring case, accents and punctuation. `updated_datetime`: to the microsecond. `licenses`: by the number of active licenses. Equal companies are sorted by id, in the same direction. Defaults to the order of creation, which is the order of ids. A company that changes while pages are read can move to another page.',
    }),
  ),
  direction: Type.Optional(
    OneOf(['asc', 'desc'], { description: 'The direction of the order. Defaults to `asc`, also without `sort`.' }),
  ),
  include: Type.Optional(
    OneOf(['total'], { description: '`total`: the page has `total`, the number of companies on all pages.' }),
  ),
});

const DecisionSchema = Named(
  'Decision',
  Reply({
    reason: Nullable(ResponseText({ examples: ['first_seen'] })),
    actor: ResponseText({
      description: 'Who decided it. The actor of a run is the user or schedule that requested it.',
    }),
    run_id: Nullable(Uuid()),
    datetime: Datetime(),
  }),
);

export const CompanyExplanationSchema = Named(
  'CompanyExplanation',
  Reply({
    id: Uuid(),
    origin: KnownOf(ORIGINS),
    archived: Type.Boolean(),
    superseded_by: Nullable(Uuid()),
    superseded_by_name: Nullable(ResponseText({ description: 'The current display name of that company.' })),
    strategy: Nullable(KnownOf(STRATEGIES, { description: 'The current strategy. Null before one is chosen.' })),
    created: DecisionSchema,
    own_company_of: Nullable(
      ResponseText({
        description: 'The license whose own company it is, even if another company holds that license now.',
      }),
    ),
    vendor_company_of: Nullable(ResponseText({ description: 'The normalized UBI whose vendor company it is.' })),
    vendor_candidates: Type.Array(
      Named(
        'VendorCandidate',
        Reply({
          license_number: ResponseText(),
          transaction_id_original: Nullable(
            ResponseText({
              description:
                "The state's number for the creation of the license. The oldest license has the lowest number.",
            }),
          ),
          company_id: Nullable(Uuid({ description: 'The own company of the license.' })),
          company_name: Nullable(ResponseText({ description: 'The current display name of that company.' })),
          verdict: KnownOf(VENDOR_VERDICTS, {
            description:
              'Why the own company of the license is or is not the vendor company. `newer`: the license is newer than that of the chosen company. `joined_later`: the license is older, but joined the vendor after the choice. `represents_another_ubi`: the company already represents another vendor. `manual_company_wins`: a manual company was adopted. `no_own_company`: the license never had a company of its own.',
          }),
        }),
      ),
      {
        description:
          'The licenses whose own companies could have become the vendor company of that UBI, the oldest first.',
      },
    ),
    licenses: Type.Array(
      Named(
        'ExplainedLicense',
        Reply({
          license_number: ResponseText({ description: 'As the state lists it.' }),
          license_key: ResponseText({ description: 'The normalized license number, which identifies the license.' }),
          ubi: Nullable(ResponseText({ description: 'As the state lists it.' })),
          ubi_key: Nullable(
            ResponseText({ description: 'The normalized UBI, which groups licenses. Null for a blank UBI.' }),
          ),
          active: Type.Boolean(),
          rule: KnownOf(HOLDING_RULES, {
            description:
              'The rule by which this company holds the license. `inactive_keeps_company`: inactive licenses stay where they were. `decided_by_user`: a resolved conflict. `manual_company`: a user added the license to this manual company. `no_ubi`: the state lists no UBI, so the license has its own company. `vendor_company`: the company of its UBI (`one_per_vendor`). `own_company`: the company of the license (`one_per_license`).',
          }),
          rejected: Type.Array(
            Named(
              'RejectedCompany',
              Reply({
                company_id: Uuid(),
                company_name: Nullable(ResponseText({ description: 'The current display name of that company.' })),
                reason: KnownOf(REJECTIONS),
              }),
            ),
            {
              description: 'Other companies that could hold the license, with the reason why they do not.',
            },
          ),
          decided: NullableObject(DecisionSchema, {
            description: 'Who assigned the license to the company. Null if the feed no longer has it.',
          }),
        }),
      ),
      { description: 'All its licenses, including inactive ones.' },
    ),
  }),
);

const until = Nullable(Datetime({ description: 'Null while the period lasts.' }));

const since = Nullable(Datetime({ description: 'Null if it began before `complete_from_datetime`.' }));
export const CompanyHistorySchema = Named(
  'CompanyHistory',
  Reply({
    names: Type.Array(
      Named(
        'CompanyNamePeriod',
        Reply({
          name: ResponseText(),
          since_datetime: since,
          until_datetime: until,
          actor: Nullable(
            ResponseText({ description: 'Who requested the sync or edited the name. Null for an unknown beginning.' }),
          ),
          run_id: Nullable(Uuid()),
        }),
      ),
    ),
    licenses: Type.Array(
      Named(
        'CompanyLicensePeriod',
        Reply({
          license_id: Uuid(),
          license_number: ResponseText(),
          since_datetime: since,
          since_reason: Nullable(ResponseText({ examples: ['first_seen'] })),
          from_company_id: Nullable(Uuid({ description: 'The company that held the license before.' })),
          from_company_name: Nullable(ResponseText({ description: 'The current display name of that company.' })),
          until_datetime: until,
          until_reason: Nullable(ResponseText({ examples: ['sold'] })),
          to_company_id: Nullable(Uuid({ description: 'The company that held the license next.' })),
          to_company_name: Nullable(ResponseText({ description: 'The current display name of that company.' })),
        }),
      ),
      { description: 'The licenses that it held, in the order in which it received them.' },
    ),
    owners: Type.Array(
      Named(
        'LicenseOwner',
        Reply({ license_number: ResponseText(), ubi: Nullable(ResponseText()), until_datetime: until }),
      ),
      {
        description: 'The vendors that held these licenses according to the state, the earliest first.',
      },
    ),
    complete_from_datetime: Nullable(
      Datetime({
        description:
          'Since when the history is complete: older changes are no longer kept, or there are more than 2,000 of them. Null if it is complete since the company was created.',
      }),
    ),
  }),
);
