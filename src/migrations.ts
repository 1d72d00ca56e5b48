/** Where the migrations are, from the sources as from what is built of them. */
export const MIGRATIONS = new URL('../migrations/', import.meta.url);
