import type { Memory } from './memory.js';

/** Assigns a license to its own company, which is created on first use. */
export const assignOnePerLicense = (licenseKey: string, memory: Memory): string => memory.ensureOwnCompany(licenseKey);
