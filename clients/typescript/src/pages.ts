import { PageError } from './errors.js';
import type { paths } from './generated/v1.js';
import type { OptionsAt, PathWith, ResultAt } from './operations.js';

interface PageLike {
  readonly data: readonly unknown[];
  readonly next_page: string | null;
}

/** The paths of lists. */
export type ListPath = {
  [P in PathWith<'get'>]: ResultAt<P, 'get'> extends PageLike ? P : never;
}[PathWith<'get'>];

export type PageAt<P extends ListPath> = ResultAt<P, 'get'>;
export type ItemAt<P extends ListPath> = PageAt<P> extends { readonly data: readonly (infer Item)[] } ? Item : never;
export type PageOptions<P extends keyof paths> = OptionsAt<P, 'get'>;

/**
 * Yields all pages of a list. Requests go to the base URL: only the query of `next_page` is used.
 * @param fetchPage fetches a page; undefined is the first one
 * @throws PageError if a page of another origin follows, or the same page again
 */
export async function* listPages<Page extends PageLike>(
  fetchPage: (search: string | undefined) => Promise<Page>,
  baseUrl: string,
  ignoresOrigin: boolean,
): AsyncGenerator<Page, void> {
  let search: string | undefined;
  for (;;) {
    const page = await fetchPage(search);
    yield page;
    if (page.next_page === null) return;
    const next = toSearch(page.next_page, baseUrl, ignoresOrigin);
    if (next === search) throw new PageError('The page names itself as the next one.');
    search = next;
  }
}

function toSearch(nextPage: string, baseUrl: string, ignoresOrigin: boolean): string {
  const url = URL.canParse(nextPage, baseUrl) ? new URL(nextPage, baseUrl) : undefined;
  if (url === undefined) throw new PageError('The URL of the next page is invalid.');
  const { origin } = new URL(baseUrl);
  if (url.origin !== origin && !ignoresOrigin) {
    throw new PageError(`The next page is at ${url.origin} instead of ${origin}.`);
  }
  return url.search.slice(1);
}
