export interface PageRequest {
  readonly size: number;
  /** The position of the last item of the previous page, in the order of the list. */
  readonly after: string | undefined;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  /** The position of the last item; undefined on the last page. */
  readonly nextAfter: string | undefined;
}

/** @param rows up to `size + 1` rows; the extra row only shows that there is another page */
export function toPage<T extends { readonly id: string }>(rows: readonly T[], size: number): PageOf<T> {
  const items = rows.slice(0, size);
  return { items, nextAfter: rows.length > size ? items.at(-1)?.id : undefined };
}
