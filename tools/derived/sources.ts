import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sources } from './derived-file.js';
import { renderOpenapi } from './openapi.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** @param openDatabase starts a migrated database and returns its URL; called at most once */
export function createSources(openDatabase: () => Promise<string>): Sources {
  let databaseUrl: Promise<string> | undefined;
  let document: Promise<string> | undefined;
  return {
    databaseUrl() {
      databaseUrl ??= openDatabase();
      return databaseUrl;
    },
    openapi() {
      document ??= renderOpenapi();
      return document;
    },
    async read(path) {
      try {
        return await readFile(join(ROOT, path), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
        throw error;
      }
    },
  };
}
