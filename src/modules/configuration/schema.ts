import Type from 'typebox';
import { ENVIRONMENTS } from '../../domain/environment.js';
import { STRATEGIES } from '../../domain/strategy.js';
import {
  Body,
  Count,
  etagField,
  KnownOf,
  MessageSchema,
  Named,
  Nullable,
  NullableObject,
  OneOf,
  Reply,
  ResponseText,
  Text,
} from '../../http/primitives.js';
import { licenseNumber } from '../credentials/schema.js';
import { settingPatches } from '../licenses/schema.js';

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
  credentials: [{ description: 'State login of the office', username: 'user@example.com', license_number: null }],
  licenses: [EXAMPLE_LICENSE],
};

const unchanged = 'In a request, null leaves it unchanged.';
const { credential_id: _credential, ...settings } = settingPatches;

/** One type for GET and PUT: GET returns every field, PUT accepts any of them. */
export const ConfigurationSchema = Named(
  'TenantConfiguration',
  Reply(
    {
      tenant: Type.Optional(
        Named(
          'ConfigurationTenant',
          Reply({
            name: Text(200, { examples: ['Example Mesa Farms'] }),
            state: Text(8, { examples: ['NM'] }),
            environment: KnownOf(ENVIRONMENTS, { examples: ['training'] }),
          }),
        ),
      ),
      ubi: Type.Optional(Nullable(Text(64, { description: unchanged, examples: ['422000931'] }))),
      company_creation_preference: Type.Optional(
        NullableObject(
          Named(
            'ConfigurationPreference',
            Reply({
              strategy: KnownOf(STRATEGIES, { examples: ['one_per_license'] }),
              include_labs: Type.Optional(
                Type.Boolean({ description: 'In a request, defaults to `false`.', examples: [false] }),
              ),
            }),
          ),
        ),
      ),
      credentials: Type.Optional(
        Type.Array(
          Named(
            'ConfigurationCredential',
            Reply({
              description: Text(120, { examples: ['State login of the office'] }),
              username: Text(200, { examples: ['user@example.com'] }),
              license_number: licenseNumber,
            }),
          ),
          { maxItems: 100, description: 'The company credentials, without passwords.' },
        ),
      ),
      licenses: Type.Optional(
        Type.Array(
          Named(
            'ConfigurationLicense',
            Reply({
              ...settings,
              license_number: Text(64, { examples: ['220091777'] }),
              name: Type.Optional(Nullable(Text(200, { description: unchanged, examples: ['Example Mesa Farms'] }))),
              license_type: Type.Optional(Nullable(Text(100, { description: unchanged, examples: ['Retailer'] }))),
              credential: Type.Optional(
                Nullable(
                  Text(200, {
                    description: 'The username of the company credential that the license uses.',
                    examples: ['user@example.com'],
                  }),
                ),
              ),
            }),
          ),
          {
            maxItems: 500,
            description:
              'All licenses of the tenant. Licenses that the tenant created earlier and that are missing in a request are archived.',
          },
        ),
      ),
      etag: Type.Optional(
        Text(100, {
          description: 'The version of the document, for `If-Match`. Ignored in a request.',
          examples: ['"3"'],
        }),
      ),
    },
    {
      description:
        'The setup of a tenant, without secrets. GET returns it whole, and PUT accepts it as it is. In a request, omitted fields stay unchanged.',
      examples: [EXAMPLE],
    },
  ),
);

export const ConfigurationQuerySchema = Body({
  dry_run: Type.Optional(
    Type.Boolean({
      description:
        "Returns the differences without changing the setup. Defaults to `false`. If the document creates licenses, the request may still log in to BioTrack and refresh the state's list.",
      examples: [true],
    }),
  ),
  confirm: Type.Optional(
    OneOf(['change_ubi'], {
      description: 'Required to change the UBI of a tenant that has licenses.',
      examples: ['change_ubi'],
    }),
  ),
});

const anything = (description: string) => Type.Unsafe<unknown>({ description });

export const ConfigurationResultSchema = Named(
  'ConfigurationResult',
  Reply({
    dry_run: Type.Boolean({ description: 'Whether this was a dry run, which changes nothing.' }),
    applied: Count({ description: 'The number of differences that were applied, or would be in a real run.' }),
    pending: Count({ description: 'The number of differences that need another step first.' }),
    differences: Type.Array(
      Named(
        'ConfigurationDifference',
        Reply({
          path: ResponseText({
            description: 'The place in the document. Entries of lists are named by their username or license number.',
            examples: ['/licenses/220091777/sync_enabled'],
          }),
          action: KnownOf(
            [
              'set',
              'create',
              'update',
              'archive',
              'restore',
              'keep',
              'needs_password',
              'needs_verification',
              'needs_login',
            ],
            {
              description:
                '`keep`: a credential that is missing from the document stays. `needs_password`: create the credential with `POST …/credentials`. `needs_verification`: change the license number of the login with `PATCH …/credentials/{id}`, which verifies it. `needs_login`: the license can be created once a credential works.',
            },
          ),
          before: anything('The value before. Null if there was none.'),
          after: anything('The value in the document. Null if there is none.'),
          applied: Type.Boolean({ description: 'Whether it was applied, or would be in a real run.' }),
          message: NullableObject(MessageSchema, {
            description: 'Why it was not applied, and what to do. Null if it was applied.',
          }),
        }),
      ),
    ),
    configuration: ConfigurationSchema,
    ...etagField,
  }),
);
