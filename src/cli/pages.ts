import type { ApiResponse } from './api.js';

interface Page<T> {
  readonly data: readonly T[];
  readonly next_page: string | null;
}

/** The most that a page may hold. */
export const PAGE_SIZE = 500;

/** Where the next page begins, out of its URL: the URL itself may name a host that only others reach. */
export const toCursor = (nextPage: string): string | undefined =>
  URL.canParse(nextPage) ? (new URL(nextPage).searchParams.get('page[after]') ?? undefined) : undefined;

export type ListQuery = { readonly 'page[size]': number; readonly 'page[after]'?: string };

/** Every item of a list, page by page. */
export async function* listAll<T>(get: (query: ListQuery) => Promise<ApiResponse<Page<T>>>): AsyncGenerator<T> {
  let query: ListQuery | undefined = { 'page[size]': PAGE_SIZE };
  while (query !== undefined) {
    const { data }: ApiResponse<Page<T>> = await get(query);
    yield* data.data;
    const after = data.next_page === null ? undefined : toCursor(data.next_page);
    query = after === undefined ? undefined : { 'page[size]': PAGE_SIZE, 'page[after]': after };
  }
}
