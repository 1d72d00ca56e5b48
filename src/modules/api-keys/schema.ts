import Type from 'typebox';
import { ROLES } from '../../domain/principal.js';
import {
  Body,
  Datetime,
  KnownOf,
  Named,
  Nullable,
  OneOf,
  Page,
  Reply,
  ResponseText,
  Text,
  Uuid,
} from '../../http/primitives.js';

/** How long a rotated key keeps working. */
export const DEFAULT_OVERLAP_SECONDS = 86_400;

const KEY_ROLES = ['operator', 'admin'] as const;
const roleNote = { description: '`operator`: access to all tenants. `admin`: access to one tenant.' };

const expiry = Datetime({ description: 'When the key stops working. Without it, the key works until it is deleted.' });

export const ApiKeyBodySchema = Named(
  'ApiKeyInput',
  Body(
    {
      description: Text(120, { description: 'What the key is for.', examples: ['onboarding script'] }),
      role: OneOf(KEY_ROLES, roleNote),
      tenant_id: Type.Optional(Uuid({ description: 'Required for `admin`; not allowed for `operator`.' })),
      expires_datetime: Type.Optional(expiry),
    },
    { examples: [{ description: 'onboarding script', role: 'operator' }] },
  ),
);

const fields = {
  id: Uuid(),
  description: ResponseText({ examples: ['onboarding script'] }),
  role: KnownOf(KEY_ROLES, roleNote),
  tenant_id: Nullable(Uuid({ description: 'Null for `operator`.' })),
  inserted_datetime: Datetime(),
  expires_datetime: Nullable(Datetime({ description: 'Null: the key works until it is deleted.' })),
  last_used_datetime: Nullable(Datetime({ description: 'To the minute. Null: never used.' })),
};

export const ApiKeySchema = Named('ApiKey', Reply(fields));

export const NewApiKeySchema = Named(
  'ApiKeyWithSecret',
  Reply({
    ...fields,
    secret: ResponseText({ description: 'The bearer token. Store it now: it cannot be read again.' }),
  }),
);

export const RotationBodySchema = Named(
  'ApiKeyRotationInput',
  Body(
    {
      overlap_seconds: Type.Optional(
        Type.Integer({
          format: 'int32',
          minimum: 0,
          maximum: 604_800,
          default: DEFAULT_OVERLAP_SECONDS,
          description: 'How long the present key keeps working. Defaults to one day.',
        }),
      ),
      expires_datetime: Type.Optional(expiry),
    },
    { examples: [{ overlap_seconds: 3_600 }] },
  ),
);

export const MeSchema = Named(
  'Me',
  Reply({
    kind: KnownOf(['api_key', 'user'], { description: 'An API key, or a user with a token of the host application.' }),
    id: ResponseText({ description: "The id of the key, or the host application's user id.", examples: ['user-1'] }),
    role: KnownOf(ROLES),
    tenant_id: Nullable(Uuid({ description: 'Null for operators, who can access every tenant.' })),
    expires_datetime: Nullable(Datetime({ description: 'When the key or token expires. Null: never.' })),
  }),
);

export const ApiKeyPageSchema = Page('ApiKeyPage', ApiKeySchema);

export const ApiKeyParamsSchema = Body({ id: Uuid({ description: 'The API key.' }) });
