// Settings from the environment: SPILLWAY_REPOSITORY__PATH is `repository.path`.
//
// Only variables with `__` are settings, so that SPILLWAY_PASSPHRASE and its like stay free for secrets. Names of
// variables know neither case nor dashes: a level that exists in the file is found whichever way it is written there.

export interface Override {
  readonly variable: string;
  readonly path: readonly string[];
  readonly value: string;
}

export function environmentOverrides(
  environment: Readonly<Record<string, string | undefined>>,
  fromFile: unknown,
): readonly Override[] {
  const overrides: Override[] = [];
  for (const [variable, value] of Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === undefined || !variable.startsWith('SPILLWAY_') || !variable.includes('__')) continue;
    let at: unknown = fromFile;
    const path = variable
      .slice('SPILLWAY_'.length)
      .split('__')
      .map((level) => {
        const key = existingKey(at, level) ?? level.toLowerCase();
        at = isGroup(at) && Object.hasOwn(at, key) ? at[key] : undefined;
        return key;
      });
    overrides.push({ variable, path, value });
  }
  return overrides;
}

/** `base` with the overrides laid over it; `base` itself is left as it was. */
export function withOverrides(base: unknown, overrides: readonly Override[]): unknown {
  let result: unknown = base ?? {};
  for (const { path, value } of overrides) result = withValue(result, path, value);
  return result;
}

function withValue(base: unknown, path: readonly string[], value: string): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const group = isGroup(base) ? base : {};
  const inner = Object.hasOwn(group, key) ? group[key] : undefined;
  // A secret has one source: a variable that names another one takes the place of the file's.
  const kept = isSecretSource(key, rest, inner) ? {} : inner;
  return { ...group, [key]: withValue(kept, rest, value) };
}

const secretKeys = new Set(['passphrase', 'recovery_key', 'password', 'client_secret']);

const isSecretSource = (key: string, rest: readonly string[], inner: unknown): boolean =>
  secretKeys.has(key) && rest.length === 1 && isGroup(inner);

const existingKey = (group: unknown, level: string): string | undefined =>
  isGroup(group) ? Object.keys(group).find((key) => plain(key) === plain(level)) : undefined;

const plain = (name: string): string => name.toLowerCase().replaceAll('-', '_');

const isGroup = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
