/** The folder of the migrations, which is the same for `src` and `dist`. */
export const MIGRATIONS = new URL('../migrations/', import.meta.url);
