import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import Type, { type TSchema } from 'typebox';

/** What a list takes beside its query: the ETag that a poller has. */
export const listHeaders = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({
      maxLength: 1_000,
      description: 'The ETag of your last read of this very URL: 304 if nothing has changed since.',
      examples: ['"J2n0PQx4cZ1mXo8eU7d5rw"'],
    }),
  ),
});

const headers = {
  etag: Type.String({
    description: 'Of this list, this query and what there is; for If-None-Match.',
    examples: ['"J2n0PQx4cZ1mXo8eU7d5rw"'],
  }),
};

/** What a list with an ETag answers. */
export const toListReplies = <S extends TSchema>(description: string, schema: S) => ({
  200: { description, schema, headers },
  304: { description: 'Nothing has changed since the list with this ETag.', headers },
});

export interface ListSource<Page> {
  /** @param revision what moves with everything that the list can show */
  toEtag(revision: string): string;
  /** Cheap; undefined if there is no such thing, which the reading then says. */
  findRevision(): Promise<string | undefined>;
  /** The page and the revision of the very state that it shows. */
  read(): Promise<Page>;
  toReply(page: Page): Readonly<Record<string, unknown>>;
}

/**
 * Answers a list with its ETag: with 304 if the caller has just that. What was sent is kept as long as there is room, and
 * is sent again, to whoever may read the list, as long as its revision is what it was: which Postgres is asked each time.
 */
export type SendCachedList = <Page extends { readonly revision: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  reading: ListSource<Page>,
) => Promise<FastifyReply>;

interface Kept {
  readonly etag: string;
  readonly body: Buffer;
}

/** No page takes more of the room than this share, so that one caller's large ones do not drive out all others. */
const SHARE_OF_ONE = 1 / 16;
/** What it costs to keep a page beside its bytes, roughly. */
const OVERHEAD_BYTES = 1_000;

/** @param keptMegabytes of pages that were sent; 0: none is kept */
export function createListSender(keptMegabytes: number): SendCachedList {
  const maxSize = keptMegabytes * 1_000_000;
  const kept =
    maxSize === 0
      ? undefined
      : new LRUCache<string, Kept>({
          maxSize,
          maxEntrySize: Math.floor(maxSize * SHARE_OF_ONE),
          sizeCalculation: ({ body }) => body.length + OVERHEAD_BYTES,
        });
  return async (request, reply, { toEtag, findRevision, read, toReply }) => {
    const { url } = request;
    const known = request.headers['if-none-match'];
    const last = kept?.get(url);
    if (known !== undefined || last !== undefined) {
      const revision = await findRevision();
      const etag = revision === undefined ? undefined : toEtag(revision);
      if (etag !== undefined && known !== undefined && names(known, etag))
        return reply.code(304).header('etag', etag).send();
      if (last !== undefined && last.etag === etag) return sendKept(reply, last);
      // Of a tenant that is gone, too.
      kept?.delete(url);
    }
    const page = await read();
    const etag = toEtag(page.revision);
    const made = { etag, body: Buffer.from(reply.serializeInput(toReply(page), '200', JSON_TYPE) as string) };
    kept?.set(url, made);
    return sendKept(reply, made);
  };
}

const JSON_TYPE = 'application/json';

const sendKept = (reply: FastifyReply, { etag, body }: Kept): FastifyReply =>
  reply.type(`${JSON_TYPE}; charset=utf-8`).header('etag', etag).send(body);

/** Answers a list that has no revision of its own, with an ETag of what is in it; with 304 if the caller has just that. */
export function sendList<Page>(request: FastifyRequest, reply: FastifyReply, page: Page): Page | FastifyReply {
  const etag = `"${hash('sha256', JSON.stringify(page), 'base64url').slice(0, ETAG_LENGTH)}"`;
  reply.header('etag', etag);
  const known = request.headers['if-none-match'];
  return known !== undefined && names(known, etag) ? reply.code(304).send() : page;
}

const ETAG_LENGTH = 22;

/** Whether a tag is among these; for a read a weak one is as good (RFC 9110, 13.1.2). */
const names = (header: string, etag: string): boolean =>
  header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
