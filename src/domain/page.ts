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

/** A page ends before the item that would make it larger, but has at least one. */
const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** The length of a value as JSON. */
export const toJsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/**
 * @param rows up to `size + 1` rows; the extra row only shows that there is another page
 * @param toBytes about how long a row is as JSON, for rows of which a page could be too large
 */
export function toPage<T extends { readonly id: string }>(
  rows: readonly T[],
  size: number,
  toBytes: (row: T) => number = () => 0,
): PageOf<T> {
  let bytes = 0;
  const isTooMuch = (row: T, index: number): boolean => {
    bytes += toBytes(row);
    return index >= size || (index > 0 && bytes > MAX_PAGE_BYTES);
  };
  const end = rows.findIndex(isTooMuch);
  const items = end === -1 ? rows : rows.slice(0, end);
  return { items, nextAfter: end !== -1 ? items.at(-1)?.id : undefined };
}
