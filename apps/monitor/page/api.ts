// What the page asks of the service, with the token of this tab, and the shapes of the answers that it uses.

export const states = ['normal', 'information', 'warning', 'critical', 'missing', 'out of service'] as const;
export type State = (typeof states)[number];

export interface Sensor {
  readonly id: number;
  readonly code: string;
  readonly kind: string;
  readonly unit: string;
  readonly place: string;
  readonly pipeline_id: number | null;
  readonly site_id: number | null;
  readonly nominal_value: number;
  readonly state: State;
  readonly reading: { readonly at: string; readonly value: number; readonly quality: number } | null;
}

export interface Alert {
  readonly id: number;
  readonly severity: 'information' | 'warning' | 'critical';
  readonly message: string;
  readonly kind: string;
  readonly value: number | null;
  readonly sensor_id: number | null;
  readonly sensor: string | null;
  readonly zone: string | null;
  readonly zone_sensor_ids: readonly number[];
  readonly place: string | null;
  readonly municipality: string | null;
  readonly raised_at: string;
  readonly acknowledged_at: string | null;
  readonly acknowledged_by: string | null;
  readonly cleared_at: string | null;
}

export type Position = readonly [longitude: number, latitude: number];

export interface Collection<Geometry, Properties> {
  readonly features: readonly { readonly id: number; readonly geometry: Geometry; readonly properties: Properties }[];
}

export type Sites = Collection<
  { readonly coordinates: Position },
  { readonly code: string; readonly name: string; readonly kind: string; readonly municipality_id: number | null }
>;

export type Pipelines = Collection<
  { readonly coordinates: readonly Position[] },
  { readonly code: string; readonly name: string; readonly diameter_mm: number; readonly length_m: number }
>;

export interface Municipality {
  readonly name: string;
  readonly position: { readonly coordinates: Position };
}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly database: { readonly state: string; readonly why: string | null };
  readonly ingest: { readonly mode: string; readonly readings_per_second: number };
  readonly spool: { readonly batches: number; readonly quarantined: number; readonly damaged: number };
}

export interface Series {
  readonly bucket_seconds: number;
  readonly points: readonly {
    readonly at: string;
    readonly min: number;
    readonly mean: number;
    readonly max: number;
  }[];
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

/** The service refused, or is not there (status 0). */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const KEY = 'water-monitor-token';
const ANSWER_WITHIN_MS = 10_000;
const PAGES_MAX = 20;

/** A link may carry the token behind #, which browsers send to nobody; it is taken out of the address bar at once. */
export function takeTokenFromAddress(): void {
  const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? [];
  if (token === undefined) return;
  keepToken(token);
  history.replaceState(null, '', location.pathname);
}

export const keepToken = (token: string): void => sessionStorage.setItem(KEY, token);

export const hasToken = (): boolean => sessionStorage.getItem(KEY) !== null;

export const readSensors = (): Promise<readonly Sensor[]> => readAll<Sensor>('/api/v1/sensors?limit=500');

export const readAlerts = async (): Promise<readonly Alert[]> =>
  (await ask<Page<Alert>>('/api/v1/alerts?state=open&limit=100')).items;

export const acknowledge = (id: number): Promise<Alert> => ask<Alert>(`/api/v1/alerts/${id}/acknowledge`, 'POST');

export const readNetwork = async (): Promise<{
  readonly sites: Sites;
  readonly pipelines: Pipelines;
  readonly municipalities: readonly Municipality[];
}> => {
  const [sites, pipelines, { items }] = await Promise.all([
    ask<Sites>('/api/v1/sites'),
    ask<Pipelines>('/api/v1/pipelines'),
    ask<{ readonly items: readonly Municipality[] }>('/api/v1/municipalities'),
  ]);
  return { sites, pipelines, municipalities: items };
};

export const readSeries = (sensor: number, hours: number, points: number): Promise<Series> => {
  const to = new Date();
  const from = new Date(to.getTime() - hours * 3_600_000);
  return ask<Series>(
    `/api/v1/sensors/${sensor}/readings?from=${from.toISOString()}&to=${to.toISOString()}&points=${points}`,
  );
};

/** Told with 503 too, when the database is away. */
export async function readHealth(): Promise<Health> {
  return (await request('/api/v1/monitoring/health', 'GET')).json() as Promise<Health>;
}

async function readAll<Item>(path: string): Promise<readonly Item[]> {
  const all: Item[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page: Page<Item> = await ask(cursor === null ? path : `${path}&cursor=${cursor}`);
    all.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === null) break;
  }
  return all;
}

async function ask<Answer>(path: string, method: 'GET' | 'POST' = 'GET'): Promise<Answer> {
  const response = await request(path, method);
  if (response.ok) return (await response.json()) as Answer;
  const problem = (await response.json().catch(() => ({}))) as { readonly detail?: string };
  throw new Refusal(response.status, problem.detail ?? `the service answered ${response.status}`);
}

async function request(path: string, method: 'GET' | 'POST'): Promise<Response> {
  try {
    return await fetch(path, {
      method,
      headers: { authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ''}` },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch (error) {
    throw new Refusal(0, `the service cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
  }
}
