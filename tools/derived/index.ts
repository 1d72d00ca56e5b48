import { renderClientTypes } from './client-types.js';
import type { DerivedFile } from './derived-file.js';

/** Every derived file of the repository; a later one may be made from an earlier one. */
export const DERIVED_FILES: readonly DerivedFile[] = [
  { name: 'openapi', path: 'openapi/v1.json', make: ({ openapi }) => openapi() },
  {
    name: 'client',
    path: 'src/cli/generated/v1.d.ts',
    make: async ({ openapi }) => renderClientTypes(await openapi()),
  },
];
