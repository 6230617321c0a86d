// What the routes' schemas share: how a caller shows who he is, and what is answered where something fails.

import { problemDocument } from '@spillway/contract/schemas';

/** For the OpenAPI document; problems are written past the serializer. */
export const problems = {
  '4xx': problemDocument.describe('The request cannot be answered'),
  '5xx': problemDocument.describe('Not now, or not by this service'),
};

export const secured = [{ token: [] }, { session: [] }];

type Writable<T> = T extends readonly (infer Element)[]
  ? Writable<Element>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Writable<T[Key]> }
    : T;

/** A document as the types of the serializer want it: they know nothing that is only read. */
export const told = <Document>(document: Document): Writable<Document> => document as Writable<Document>;
