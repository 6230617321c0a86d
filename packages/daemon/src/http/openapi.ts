// The schemas of the OpenAPI document, tidied: a schema of the contract is told once, under its own name.
//
// What makes the document tells every schema twice, as it is read (`JobInput`) and as it is written (`Job`), whether anything
// refers to it or not. Here those that nothing refers to are left out, and one that is only read takes back its own name.

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

interface WithSchemas {
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

const REFERENCE = '#/components/schemas/';
const READ = 'Input';

export function tidySchemas<Document extends object>(document: Document): Document {
  const { components, ...rest } = document as WithSchemas;
  const schemas = components?.schemas ?? {};
  const kept = new Set<string>();
  const keep = (value: unknown): void => {
    for (const name of referencesIn(value as Json)) {
      if (kept.has(name)) continue;
      kept.add(name);
      keep(schemas[name]);
    }
  };
  keep(rest);
  const named = (name: string): string => {
    const own = name.endsWith(READ) ? name.slice(0, -READ.length) : name;
    return kept.has(own) ? name : own;
  };
  const renamed = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (key, each: unknown) =>
      key === '$ref' && typeof each === 'string' && each.startsWith(REFERENCE)
        ? REFERENCE + named(each.slice(REFERENCE.length))
        : each,
    );
  return {
    ...(renamed(rest) as Document),
    components: {
      ...components,
      schemas: Object.fromEntries([...kept].toSorted().map((name) => [named(name), renamed(schemas[name])])),
    },
  };
}

function referencesIn(value: Json | undefined): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((each: Json) => referencesIn(each));
  return Object.entries(value).flatMap(([key, each]: [string, Json]) =>
    key === '$ref' && typeof each === 'string' && each.startsWith(REFERENCE)
      ? [each.slice(REFERENCE.length)]
      : referencesIn(each),
  );
}
