/** A generated file that is committed, so that changes of its sources show up in reviews. */
export interface DerivedFile {
  /** The argument of `npm run derive`. */
  readonly name: string;
  /** Relative to the root of the repository. */
  readonly path: string;
  /** Renders the complete file. */
  render(sources: Sources): Promise<string>;
}

/** Inputs of derived files, created on first use. */
export interface Sources {
  /** The URL of a migrated, temporary database. */
  databaseUrl(): Promise<string>;
  /** The OpenAPI document as JSON text. */
  openapi(): Promise<string>;
  /** The current content of a file; empty if it does not exist. */
  read(path: string): Promise<string>;
}
