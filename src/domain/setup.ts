import { type NextStep, ServiceError } from './service-error.js';

/** Setup steps in order, each with the call that completes it. */
export const STEP_CALLS = {
  ubi: { operation_id: 'putUbi', method: 'PUT', path: 'ubi' },
  company_creation_preference: {
    operation_id: 'putCompanyCreationPreference',
    method: 'PUT',
    path: 'company-creation-preference',
  },
  credentials: { operation_id: 'createCredential', method: 'POST', path: 'credentials' },
  licenses: { operation_id: 'createLicense', method: 'POST', path: 'licenses' },
  first_sync: { operation_id: 'startSync', method: 'POST', path: 'syncs' },
} as const;

export type SetupStep = keyof typeof STEP_CALLS;
export const SETUP_STEPS = Object.keys(STEP_CALLS) as SetupStep[];

/** Who must act to complete a step. `none`: the step is done or in progress. */
export const SETUP_ACTORS = ['admin', 'biotrack_administrator', 'operator', 'none'] as const;
export type SetupActor = (typeof SETUP_ACTORS)[number];

/** A call of the API. `path` is relative to `/v1/tenants/{tenant_id}/`. */
export interface SetupCall {
  readonly operation_id: string;
  readonly method: string;
  readonly path: string;
}

export const toNextStep = (tenantId: string, step: SetupStep, call: SetupCall = STEP_CALLS[step]): NextStep => ({
  step,
  ...call,
  path: `/v1/tenants/${tenantId}/${call.path}`,
});

/**
 * 409 with the call that completes the missing step.
 * @param options.reason why what exists cannot be used
 */
export const setupIncomplete = (
  tenantId: string,
  step: SetupStep,
  detail: string,
  { call, reason }: { readonly call?: SetupCall | undefined; readonly reason?: string | undefined } = {},
): ServiceError =>
  new ServiceError('setup_incomplete', detail, {
    next_step: toNextStep(tenantId, step, call),
    ...(reason !== undefined && { reason }),
  });
