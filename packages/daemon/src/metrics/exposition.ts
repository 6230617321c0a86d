// Samples as text that Prometheus reads: OpenMetrics where it asks for that, the older format where it does not.
//
// A registry is made for each answer, from samples alone: nothing that is gone can stay in one. Metrics of the process itself
// (memory, processor, event loop) are in registries that stay, since they count; one for each format, because the client
// takes `_total` off the names of counters for good when it writes OpenMetrics.

import { collectDefaultMetrics, Counter, Gauge, Registry } from '@prometheus-io/client';
import { catalogue, type MetricName, type MetricOf } from './catalogue.ts';
import type { Sample } from './samples.ts';

type Format = 'openmetrics' | 'text';

/** Named against Prometheus' conventions, so that `promtool check metrics` would never be silent. */
const LEFT_OUT = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_eventloop_utilization_histogram',
  'nodejs_eventloop_utilization_summary',
];
/** For those, the client would look ten times a second. */
const NEVER_MS = 86_400_000;
/** How often the lag of the event loop is looked at; at the 10 ms that it is by itself that is half of what an idle service does. */
const LAG_MS = 200;

export class Exposition {
  readonly #process: Readonly<Record<Format, Registry>> = { openmetrics: new Registry(), text: new Registry() };

  constructor() {
    for (const register of Object.values(this.#process)) {
      collectDefaultMetrics({
        register,
        eventLoopMonitoringPrecision: LAG_MS,
        eventLoopUtilizationTimeout: NEVER_MS,
      });
      for (const name of LEFT_OUT) register.removeSingleMetric(name);
    }
  }

  async render(samples: readonly Sample[], format: Format): Promise<{ readonly type: string; readonly text: string }> {
    const registry = new Registry();
    fill(registry, samples);
    const both = Registry.merge([this.#process[format], registry]);
    both.setContentType(format === 'text' ? Registry.PROMETHEUS_CONTENT_TYPE : Registry.OPENMETRICS_CONTENT_TYPE);
    return { type: both.contentType, text: await both.metrics() };
  }
}

/** What a scraper says that it takes. */
export const formatOf = (accept: string | undefined): Format =>
  accept?.includes('application/openmetrics-text') === true ? 'openmetrics' : 'text';

function fill(registry: Registry, samples: readonly Sample[]): void {
  const byName = new Map<MetricName, Sample[]>();
  for (const sample of samples) byName.set(sample.name, [...(byName.get(sample.name) ?? []), sample]);
  for (const [name, of] of byName) {
    const { type, help, labels }: MetricOf = catalogue[name];
    const made = { name, help, labelNames: labels, registers: [registry] };
    if (type === 'counter') {
      const counter = new Counter(made);
      for (const { labels: given, value } of of) counter.inc({ ...given }, value);
    } else {
      const gauge = new Gauge(made);
      for (const { labels: given, value } of of) gauge.set({ ...given }, value);
    }
  }
}
