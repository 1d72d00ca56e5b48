/** A file that is made from others and kept in git, so that a change of its sources shows as a diff. */
export interface DerivedFile {
  /** What it is called on the command line of `npm run derive`. */
  readonly name: string;
  /** From the root of the repository. */
  readonly path: string;
  /** Its whole text as it has to be now. */
  make(sources: Sources): Promise<string>;
}

/** What files are made from beyond what can be imported; made when first asked for. */
export interface Sources {
  /** A migrated database of its own. */
  databaseUrl(): Promise<string>;
  /** The OpenAPI document, as text. */
  openapi(): Promise<string>;
  /** The present text of a file, empty if there is none. */
  read(path: string): Promise<string>;
}
