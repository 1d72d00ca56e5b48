import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
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

export interface ListReading<Page> {
  /** @param mark what moves with everything that the list can show */
  toEtag(mark: string): string;
  /** Cheap; undefined if there is no such thing, which the reading then says. */
  findMark(): Promise<string | undefined>;
  /** The page and the mark of the very state that it shows. */
  read(): Promise<Page>;
}

/** Reads a list with its ETag; undefined if the caller has that already, and 304 is sent. */
export async function readList<Page extends { readonly mark: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  { toEtag, findMark, read }: ListReading<Page>,
): Promise<Page | undefined> {
  const known = request.headers['if-none-match'];
  if (known !== undefined) {
    const mark = await findMark();
    const etag = mark === undefined ? undefined : toEtag(mark);
    if (etag !== undefined && names(known, etag)) {
      reply.code(304).header('etag', etag).send();
      return undefined;
    }
  }
  const page = await read();
  reply.header('etag', toEtag(page.mark));
  return page;
}

/** Answers a list that has no mark of its own, with an ETag of what is in it; with 304 if the caller has just that. */
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
