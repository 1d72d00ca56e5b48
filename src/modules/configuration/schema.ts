import Type from 'typebox';
import { ENVIRONMENTS } from '../../domain/environment.js';
import { STRATEGIES } from '../../domain/strategy.js';
import { Body, Count, DatetimeInput, Named, Nullable, OneOf, Reply, Shown, Text } from '../../http/primitives.js';

const EXAMPLE_LICENSE = {
  license_number: '220091777',
  name: 'Example Mesa Farms',
  license_type: null,
  issue_datetime: null,
  expiry_datetime: null,
  active: true,
  credential: 'user@example.com',
  default_intake_location_id: null,
  sync_enabled: true,
  create_companies: true,
  sync_rooms: true,
  notify_on_change: true,
  share_with_leaflink: false,
};

const EXAMPLE = {
  tenant: { name: 'Example Mesa Farms', state: 'NM', environment: 'training' },
  ubi: '422000931',
  company_creation_preference: { strategy: 'one_per_license', include_labs: false },
  credentials: [{ description: 'State login of the office', username: 'user@example.com' }],
  licenses: [EXAMPLE_LICENSE],
};

const flag = () => Type.Optional(Type.Boolean({ examples: [true] }));
const time = (example: string) => Type.Optional(Nullable(DatetimeInput({ examples: [example] })));

const LicenseEntryBody = Body({
  license_number: Text(64, { examples: ['220091777'] }),
  name: Type.Optional(Nullable(Text(200, { description: 'null says nothing.', examples: ['Example Mesa Farms'] }))),
  license_type: Type.Optional(Nullable(Text(100, { description: 'null says nothing.', examples: ['Retailer'] }))),
  issue_datetime: time('2025-01-31T00:00:00Z'),
  expiry_datetime: time('2027-01-31T00:00:00Z'),
  active: flag(),
  credential: Type.Optional(
    Nullable(
      Text(200, { description: "The user name of the company's login to work with.", examples: ['user@example.com'] }),
    ),
  ),
  default_intake_location_id: Type.Optional(Nullable(Text(100, { examples: ['room-7'] }))),
  sync_enabled: flag(),
  create_companies: flag(),
  sync_rooms: flag(),
  notify_on_change: flag(),
  share_with_leaflink: flag(),
});

const nullable = <S extends ReturnType<typeof Body>>(schema: S) => Type.Union([schema, Type.Null()]);

export const ConfigurationBodySchema = Body(
  {
    tenant: Type.Optional(
      Body({
        name: Text(200, { examples: ['Example Mesa Farms'] }),
        state: Text(8, { examples: ['NM'] }),
        environment: OneOf(ENVIRONMENTS, { examples: ['training'] }),
      }),
    ),
    ubi: Type.Optional(Nullable(Text(64, { description: 'null says nothing.', examples: ['422000931'] }))),
    company_creation_preference: Type.Optional(
      nullable(
        Body({
          strategy: OneOf(STRATEGIES, { examples: ['one_per_license'] }),
          include_labs: Type.Optional(Type.Boolean({ description: 'false unless told.', examples: [false] })),
        }),
      ),
    ),
    credentials: Type.Optional(
      Type.Array(
        Body({
          description: Text(120, { examples: ['State login of the office'] }),
          username: Text(200, { examples: ['user@example.com'] }),
        }),
        { maxItems: 100, description: "The company's logins. Passwords are in no document." },
      ),
    ),
    licenses: Type.Optional(
      Type.Array(LicenseEntryBody, {
        maxItems: 500,
        description: 'All licenses to work with: a created one that is not among them is archived.',
      }),
    ),
    confirm: Type.Optional(
      OneOf(['change_ubi'], {
        description: 'Needed to change the UBI once licenses exist.',
        examples: ['change_ubi'],
      }),
    ),
  },
  { examples: [EXAMPLE] },
);

export const ConfigurationQuerySchema = Body({
  dry_run: Type.Optional(
    Type.Boolean({
      description:
        'Tell the differences and change nothing of the set-up; false unless told. A login may still be tried at BioTrack, to see which licenses there are, and what came of that is kept.',
      examples: [true],
    }),
  ),
});

export const ConfigurationSchema = Named(
  'Configuration',
  Reply(
    {
      tenant: Reply({ name: Shown(), state: Shown(), environment: OneOf(ENVIRONMENTS) }),
      ubi: Nullable(Shown()),
      company_creation_preference: Type.Union([
        Reply({ strategy: OneOf(STRATEGIES), include_labs: Type.Boolean() }),
        Type.Null(),
      ]),
      credentials: Type.Array(Reply({ description: Shown(), username: Shown() })),
      licenses: Type.Array(
        Reply({
          license_number: Shown(),
          name: Nullable(Shown()),
          license_type: Nullable(Shown()),
          issue_datetime: Nullable(Shown()),
          expiry_datetime: Nullable(Shown()),
          active: Type.Boolean(),
          credential: Nullable(Shown()),
          default_intake_location_id: Nullable(Shown()),
          sync_enabled: Type.Boolean(),
          create_companies: Type.Boolean(),
          sync_rooms: Type.Boolean(),
          notify_on_change: Type.Boolean(),
          share_with_leaflink: Type.Boolean(),
        }),
      ),
    },
    { description: 'The whole set-up of a tenant, without a secret; a PUT takes it as it is.', examples: [EXAMPLE] },
  ),
);

const anything = (description: string) => Type.Unsafe<unknown>({ description });

export const ConfigurationResultSchema = Named(
  'ConfigurationResult',
  Reply({
    dry_run: Type.Boolean({ description: 'Nothing was changed.' }),
    applied: Count({ description: 'Differences that are no more; of a dry run, that would be no more.' }),
    pending: Count({ description: 'Differences that need something else first.' }),
    differences: Type.Array(
      Reply({
        path: Shown({
          description: 'Where in the document: rows of lists by user name or license number.',
          examples: ['/licenses/220091777/sync_enabled'],
        }),
        action: OneOf(['set', 'create', 'update', 'archive', 'restore', 'keep', 'needs_password', 'needs_login'], {
          description:
            '`keep`: a login that the document does not name stays. `needs_password`: a login has to be saved by `POST …/credentials`. `needs_login`: a license can be created once there is a login that works.',
        }),
        before: anything('What is there; null for nothing.'),
        after: anything('What the document says; null for nothing.'),
        applied: Type.Boolean(),
        detail: Nullable(Shown({ description: 'Why it is not applied, and what to do.' })),
      }),
    ),
    configuration: ConfigurationSchema,
  }),
);
