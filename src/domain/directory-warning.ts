import type { RowField, UnreadableValue } from './vendor.js';

/** Information about the published list that runs pass on to users. */
export type DirectoryWarning =
  /** A value of a row cannot be read. The license keeps what is published, or is withheld. */
  | {
      readonly code: 'row_partly_read';
      readonly licenseNumber: string;
      readonly field: RowField;
      readonly reason: UnreadableValue['reason'];
    }
  /** An optional list could not be read. What is known of it stays. */
  | { readonly code: 'list_not_read'; readonly licenseNumber: null; readonly action: OptionalAction }
  /**
   * More rows than before have no readable license number, so licenses that are not listed stay published until an
   * operator confirms that they are gone.
   */
  | { readonly code: 'missing_kept'; readonly licenseNumber: null; readonly licenses: number }
  /** A much shorter list was refused, and a user dismissed it for the tenant: the last accepted one stays in use. */
  | { readonly code: 'list_dismissed'; readonly licenseNumber: null };

export type OptionalAction = 'sync_qa_lab' | 'sync_third_party_transporter';
