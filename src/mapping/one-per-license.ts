import type { Memory } from './memory.js';

/** Each active license belongs to its own company, created when it is first needed. */
export const assignOnePerLicense = (licenseKey: string, memory: Memory): string => memory.needOwnCompany(licenseKey);
