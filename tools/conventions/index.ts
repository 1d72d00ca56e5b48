import { findUnprovenCommands } from './commands.js';
import { findUndocumentedVariables } from './configuration.js';
import { findDoubledExports } from './exported-names.js';
import type { Files } from './files.js';
import type { Finding } from './finding.js';
import { findBrokenReferences } from './references.js';
import { findOddSummaries } from './summaries.js';
import { findBannedWords } from './words.js';

/** The conventions that can be judged by reading, each by the name that `npm run check` prints. */
export const CONVENTIONS: Readonly<Record<string, (files: Files) => readonly Finding[]>> = {
  words: findBannedWords,
  'API summaries': findOddSummaries,
  'exported names': findDoubledExports,
  references: findBrokenReferences,
  commands: findUnprovenCommands,
  configuration: findUndocumentedVariables,
};
