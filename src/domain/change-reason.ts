/** Why a company is created, updated, archived or reactivated. A closed list, so callers can branch on it. */
export const COMPANY_REASONS = {
  first_seen: 'its licenses are new to the tenant',
  bought: 'licenses of another vendor were sold to it',
  sold: 'its licenses were sold to another vendor',
  new_ubi: 'the state lists another UBI for its licenses, or a UBI where it listed none',
  joined: 'other licenses joined it',
  left: 'licenses left it',
  vanished: 'the state no longer lists its licenses',
  deleted_by_state: 'the state lists its licenses as deleted',
  labs_excluded: 'its licenses are laboratories, which are now excluded',
  returned: 'one of its licenses is active again',
  merged: 'a switch or a decision moved its licenses to `superseded_by`',
  split_out: 'a switch or a decision moved licenses to it',
  renamed: 'the state renamed its licenses',
  details_changed: 'other details of its licenses changed',
  own_ubi_changed: "the tenant's own UBI changed",
  successor_changed: 'another company holds its former licenses',
  display_name_changed: 'another company with its name was added, removed or changed',
} as const;
export type CompanyReason = keyof typeof COMPANY_REASONS;

/** Why a license is created, updated, moved, deactivated or reactivated. A closed list. */
export const LICENSE_REASONS = {
  first_seen: 'it is new to the tenant',
  first_listed: 'it was added manually, and the state lists it for the first time',
  sold: 'another vendor holds it',
  new_ubi: 'the state lists a UBI where it listed none',
  vanished: 'the state no longer lists it',
  deleted_by_state: 'the state lists it as deleted',
  labs_excluded: 'it is a laboratory, and laboratories are now excluded',
  returned: 'the state lists it again, or lists it as active again',
  strategy: 'it moves to its vendor company or its own company, as the strategy requires',
  decided_by_user: 'a decision about a conflict moves it',
  added_manually: 'a user added it to a manual company',
  details_changed: 'the state changed its name, address or other details',
  own_company_assigned: 'it was assigned its own company, which the other strategy uses',
} as const;
export type LicenseReason = keyof typeof LICENSE_REASONS;
