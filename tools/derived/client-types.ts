import openapiTs, { astToString, COMMENT_HEADER, type OpenAPI3 } from 'openapi-typescript';

/** Renders the OpenAPI document as TypeScript types for clients. */
export async function renderClientTypes(document: string): Promise<string> {
  const ast = await openapiTs(JSON.parse(document) as OpenAPI3, { alphabetize: false, silent: true });
  return `${COMMENT_HEADER}${astToString(ast)}`;
}
