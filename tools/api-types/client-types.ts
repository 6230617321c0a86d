// The types of the client, made from the OpenAPI document by openapi-typescript. It wants the compiler's own interface, which
// TypeScript 7 has none of any more: so it lives in this folder, with a TypeScript of its own.

import openapiTypescript, { astToString } from 'openapi-typescript';

const OPENING = `// Made by \`npm run reference\` from docs/openapi.json, the API as the service tells it; a test fails where they differ.

`;

export async function typesOf(document: object): Promise<string> {
  // Cloned, because it is written to.
  const made = await openapiTypescript(structuredClone(document) as Parameters<typeof openapiTypescript>[0], {
    rootTypes: true,
    rootTypesNoSchemaPrefix: true,
  });
  return OPENING + astToString(made);
}
