import type { ApiResponse } from './api.js';

interface Page<T> {
  readonly data: readonly T[];
  readonly next_page: string | null;
}

/** The API's maximum. */
export const PAGE_SIZE = 500;

/** Extracts the cursor from a page's URL. The URL itself is not used: its host may not be reachable from here. */
export const toCursor = (nextPage: string): string | undefined =>
  URL.canParse(nextPage) ? (new URL(nextPage).searchParams.get('page[after]') ?? undefined) : undefined;

export type ListQuery = { readonly 'page[size]': number; readonly 'page[after]'?: string };

/** Yields the items of all pages. */
export async function* listAll<T>(get: (query: ListQuery) => Promise<ApiResponse<Page<T>>>): AsyncGenerator<T> {
  let query: ListQuery | undefined = { 'page[size]': PAGE_SIZE };
  while (query !== undefined) {
    const { data }: ApiResponse<Page<T>> = await get(query);
    yield* data.data;
    const after = data.next_page === null ? undefined : toCursor(data.next_page);
    query = after === undefined ? undefined : { 'page[size]': PAGE_SIZE, 'page[after]': after };
  }
}
