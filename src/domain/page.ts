/** What a list is asked for: how many, and after which item (in the list's own order). */
export interface PageRequest {
  readonly size: number;
  readonly after: string | undefined;
}

/** A page and, if there is more, the position of its last item. */
export interface PageOf<T> {
  readonly items: readonly T[];
  readonly nextAfter: string | undefined;
}

/** A page out of rows that were read one beyond its size; the one too many only tells that there is more. */
export function toPage<T extends { readonly id: string }>(rows: readonly T[], size: number): PageOf<T> {
  const items = rows.slice(0, size);
  return { items, nextAfter: rows.length > size ? items.at(-1)?.id : undefined };
}
