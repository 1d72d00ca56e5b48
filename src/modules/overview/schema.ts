import Type from 'typebox';
import { Count, Datetime, Named, Nullable, NullableObject, Reply } from '../../http/primitives.js';
import { ConflictSchema } from '../conflicts/schema.js';
import { CreationPreferenceSchema } from '../creation-preference/schema.js';
import { CredentialCoverageSchema, CredentialSchema } from '../credentials/schema.js';
import { DirectoryStatusSchema, LicenseSchema } from '../licenses/schema.js';
import { ScheduleSchema } from '../schedules/schema.js';
import { SetupSchema } from '../setup/schema.js';
import { SyncRunSchema } from '../syncs/schema.js';
import { TenantSchema } from '../tenants/schema.js';
import { UbiSchema } from '../ubi/schema.js';

export const OverviewSchema = Named(
  'Overview',
  Reply({
    tenant: TenantSchema,
    ubi: NullableObject(UbiSchema, { description: 'Null if it is not set.' }),
    company_creation_preference: NullableObject(CreationPreferenceSchema, { description: 'Null if it is not set.' }),
    credentials: Type.Array(CredentialSchema, {
      description:
        "The first 100 credentials that the caller can list, the oldest first: users see the company's credentials and their own.",
    }),
    credentials_truncated: Type.Boolean({ description: 'Whether there are more. `GET …/credentials` lists all.' }),
    own_coverage: NullableObject(CredentialCoverageSchema, {
      description: 'The credential that a sync of the calling user would use now. Null for API keys.',
    }),
    licenses: Type.Array(LicenseSchema, {
      description: 'The first 500 licenses that are not archived, the oldest first.',
    }),
    licenses_truncated: Type.Boolean({ description: 'Whether there are more. `GET …/licenses` lists all.' }),
    list: NullableObject(DirectoryStatusSchema, {
      description: "The mirrored copy of the state's list. Null if the UBI is not set.",
    }),
    setup: SetupSchema,
    schedule: ScheduleSchema,
    last_synced_datetime: Nullable(
      Datetime({ description: 'When the licenses were last known to be up to date. The same as in `schedule`.' }),
    ),
    last_sync: NullableObject(SyncRunSchema, {
      description: 'The full run that ended last, without canceled and superseded runs. Null if there is none.',
    }),
    active_sync: NullableObject(SyncRunSchema, {
      description: 'The full run that is queued or running. Null if there is none.',
    }),
    reviews: Type.Array(SyncRunSchema, { description: 'The newest runs with the status `needs_review`, at most 20.' }),
    open_conflicts: Type.Array(ConflictSchema, {
      description: 'The newest open conflicts, at most 20. `GET …/conflicts?status=open` lists all.',
    }),
    open_conflicts_count: Count({ description: 'The number of all open conflicts.' }),
  }),
);
