// The operators' page. Everything shown is asked for every few seconds, and kept on the screen while it cannot be had, with
// a banner that says so and since when: an old picture that is known to be old is better than none.

import {
  acknowledge,
  type Alert,
  type Health,
  hasToken,
  keepToken,
  readAlerts,
  readHealth,
  readNetwork,
  readSensors,
  readSeries,
  Refusal,
  type Sensor,
  states,
  takeTokenFromAddress,
} from './api.ts';
import { Chart } from './chart.ts';
import { drawn, element, inputPart, part } from './dom.ts';
import { NetworkMap, placeOf, shapes } from './map.ts';
import { clock, gravity, number, plural, since, stateClass } from './words.ts';

const EVERY_MS = 3000;
const POINTS = 400;
const ranges = [
  { hours: 1, name: '1 h' },
  { hours: 6, name: '6 h' },
  { hours: 24, name: '24 h' },
  { hours: 168, name: '7 d' },
] as const;

let map: NetworkMap | undefined;
let chart: Chart | undefined;
let sensors: readonly Sensor[] = [];
let chosenSensor: number | undefined;
let hours = 6;
/** When everything shown was last had. */
let freshAt: string | undefined;
let asking = 0;

takeTokenFromAddress();
drawLegend();
drawRanges();
inputPart('filter').addEventListener('input', showRows);
if (!hasToken()) await signIn('');
for (;;) {
  await refresh();
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}

async function refresh(): Promise<void> {
  asking += 1;
  const mine = asking;
  try {
    const health = await readHealth();
    showVerdict(health);
    map ??= new NetworkMap(part('map'), await readNetwork(), ({ key }) => choosePlace(key));
    const [now, alerts] = await Promise.all([readSensors(), readAlerts()]);
    // An answer that was overtaken by a later one is old.
    if (mine !== asking) return;
    sensors = now;
    freshAt = new Date().toISOString();
    map.show(
      sensors,
      alerts.filter(({ cleared_at: at }) => at === null),
    );
    showRows();
    showAlerts(alerts);
    chosenSensor ??= sensors.find(({ kind }) => kind === 'level')?.id;
    showTabs();
    await showChart();
    part('banner').hidden = true;
    document.body.classList.remove('stale');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401 || error.status === 403) await signIn(error.message);
    else showStale(error.message);
  }
}

function showVerdict({ status, database, ingest, spool }: Health): void {
  const verdict = part('verdict');
  verdict.dataset['status'] = status;
  const waiting = spool.batches === 0 ? '' : `, ${plural(spool.batches, 'batch').replace('batchs', 'batches')} on disk`;
  verdict.textContent =
    status === 'ok'
      ? 'All is stored'
      : status === 'down'
        ? `Database ${database.state}${waiting}`
        : spool.batches > 0
          ? `Catching up${waiting}`
          : 'Stored, but some batches need a look';
  const figures: readonly (readonly [string, string])[] = [
    ['readings', `${number(ingest.readings_per_second)}/s`],
    ['spool', String(spool.batches)],
    ...(spool.quarantined > 0 ? [['quarantine', String(spool.quarantined)] as const] : []),
  ];
  part('figures').replaceChildren(
    ...figures.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );
}

function showStale(why: string): void {
  const banner = part('banner');
  const shown = freshAt === undefined ? 'Nothing could be read yet.' : `What you see is of ${clock(freshAt)}.`;
  const text = `${shown} Readings that come in are kept. (${why})`;
  // Said once, not every few seconds.
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = false;
  document.body.classList.add('stale');
}

function drawLegend(): void {
  part('legend').replaceChildren(
    ...states.map((state) =>
      element(
        'li',
        {},
        drawn(
          'svg',
          { viewBox: '-7 -7 14 14', width: 14, height: 14, 'aria-hidden': 'true' },
          drawn('path', { class: `dot ${stateClass(state)}`, d: shapes[state] ?? '' }),
        ),
        state,
      ),
    ),
  );
}

function drawRanges(): void {
  part('ranges').replaceChildren(
    ...ranges.map((range) => {
      const button = element('button', { type: 'button', 'aria-pressed': String(range.hours === hours) }, range.name);
      button.addEventListener('click', () => {
        hours = range.hours;
        drawRanges();
        ignoreRefusals(showChart());
        part('ranges').querySelector<HTMLElement>('[aria-pressed="true"]')?.focus();
      });
      return button;
    }),
  );
}

function choosePlace(key: string): void {
  const own = sensors.filter((sensor) => placeOf(sensor) === key);
  // The gravest first: that is why somebody comes.
  const [first] = own.toSorted((a, b) => gravity[b.state] - gravity[a.state]);
  if (first !== undefined) chooseSensor(first.id);
}

function chooseSensor(id: number): void {
  chosenSensor = id;
  showTabs();
  showRows();
  ignoreRefusals(showChart());
}

function showTabs(): void {
  const chosen = sensors.find(({ id }) => id === chosenSensor);
  if (chosen === undefined) return;
  const key = placeOf(chosen);
  map?.mark(key);
  part('detail-title').textContent = chosen.place;
  const tabs = part('sensor-tabs');
  const hadFocus = tabs.contains(document.activeElement);
  tabs.replaceChildren(
    ...sensors
      .filter((sensor) => placeOf(sensor) === key)
      .map((sensor) => {
        const value = sensor.reading === null ? '–' : `${number(sensor.reading.value)} ${sensor.unit}`;
        const button = element(
          'button',
          { type: 'button', class: stateClass(sensor.state), 'aria-pressed': String(sensor.id === chosenSensor) },
          element('span', { class: 'kind' }, sensor.kind),
          element('b', {}, value),
          element('span', { class: 'code' }, sensor.code),
        );
        button.addEventListener('click', () => chooseSensor(sensor.id));
        return button;
      }),
  );
  if (hadFocus) tabs.querySelector<HTMLElement>('[aria-pressed="true"]')?.focus();
}

async function showChart(): Promise<void> {
  const sensor = sensors.find(({ id }) => id === chosenSensor);
  if (sensor === undefined) return;
  const series = await readSeries(sensor.id, hours, POINTS);
  if (sensor.id !== chosenSensor) return;
  chart ??= new Chart();
  chart.show(sensor, series);
}

function showRows(): void {
  const wanted = inputPart('filter').value.toLowerCase().split(/\s+/);
  const rows = part('sensor-rows');
  const focused = document.activeElement?.getAttribute('data-id');
  const found = sensors.filter((sensor) => {
    const text = `${sensor.code} ${sensor.place} ${sensor.kind} ${sensor.state}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
  rows.replaceChildren(
    ...found.map((sensor) => {
      const button = element('button', { type: 'button', 'data-id': sensor.id }, sensor.code);
      button.addEventListener('click', () => chooseSensor(sensor.id));
      return element(
        'tr',
        { class: stateClass(sensor.state), 'aria-current': sensor.id === chosenSensor ? 'true' : undefined },
        element('th', { scope: 'row' }, button),
        element('td', {}, sensor.place),
        element(
          'td',
          { class: 'number' },
          sensor.reading === null ? '–' : `${number(sensor.reading.value)} ${sensor.unit}`,
        ),
        element('td', {}, element('span', { class: `word ${stateClass(sensor.state)}` }, sensor.state)),
      );
    }),
  );
  // The rows are new; whoever was on one stays on it.
  if (focused !== null && focused !== undefined) rows.querySelector<HTMLElement>(`[data-id="${focused}"]`)?.focus();
}

function showAlerts(alerts: readonly Alert[]): void {
  const list = part('alert-list');
  const focused = document.activeElement?.getAttribute('data-alert');
  const now = Date.now();
  const order = alerts.toSorted(
    (a, b) =>
      Number(a.acknowledged_at !== null) - Number(b.acknowledged_at !== null) ||
      gravity[b.severity] - gravity[a.severity] ||
      b.id - a.id,
  );
  const unseen = alerts.filter(({ acknowledged_at: at }) => at === null).length;
  part('alerts-title').textContent = unseen === 0 ? 'Alerts' : `Alerts, ${unseen} to acknowledge`;
  list.replaceChildren(
    ...(order.length === 0
      ? [element('li', { class: 'none' }, 'None is open.')]
      : order.map((alert) => alertItem(alert, now))),
  );
  if (focused !== null && focused !== undefined) list.querySelector<HTMLElement>(`[data-alert="${focused}"]`)?.focus();
}

function alertItem(alert: Alert, now: number): HTMLElement {
  const where = alert.zone ?? [alert.place, alert.municipality].filter((each) => each !== null).join(', ');
  const seen = alert.acknowledged_by === null ? [] : [`, acknowledged by ${alert.acknowledged_by}`];
  const item = element(
    'li',
    { class: `alert ${stateClass(alert.severity)}`, 'data-cleared': alert.cleared_at === null ? undefined : 'true' },
    drawn(
      'svg',
      { viewBox: '-7 -7 14 14', width: 18, height: 18, 'aria-hidden': 'true' },
      drawn('path', { class: `dot ${stateClass(alert.severity)}`, d: shapes[alert.severity] ?? '' }),
    ),
    element(
      'div',
      {},
      element('strong', {}, alert.message),
      element('p', {}, `${where}${alert.sensor === null ? '' : ` · ${alert.sensor}`}`),
      element(
        'p',
        { class: 'when' },
        `${alert.severity}, ${since(alert.raised_at, now)}${alert.cleared_at === null ? '' : ', over'}`,
        ...seen,
      ),
    ),
  );
  const { sensor_id: sensorId } = alert;
  if (sensorId !== null) {
    const show = element('button', { type: 'button', class: 'quiet', 'aria-label': `Show ${alert.sensor}` }, 'Show');
    show.addEventListener('click', () => {
      chooseSensor(sensorId);
      part('detail').focus();
    });
    item.append(show);
  }
  if (alert.acknowledged_at === null) {
    const button = element(
      'button',
      { type: 'button', 'data-alert': alert.id, 'aria-label': `Acknowledge: ${alert.message}, ${where}` },
      'Acknowledge',
    );
    button.addEventListener('click', () => {
      button.disabled = true;
      void acknowledgeAlert(alert.id, button);
    });
    item.append(button);
  }
  return item;
}

async function acknowledgeAlert(id: number, button: HTMLButtonElement): Promise<void> {
  try {
    await acknowledge(id);
  } catch (error) {
    button.disabled = false;
    showStale(error instanceof Error ? error.message : String(error));
    return;
  }
  await refresh();
  // The button is gone; the next one takes its place, or the list.
  (part('alert-list').querySelector<HTMLElement>('[data-alert]') ?? part('alerts')).focus();
}

/** The next refresh tells of it. */
function ignoreRefusals(work: Promise<void>): void {
  work.catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    showStale(error.message);
  });
}

async function signIn(problem: string): Promise<void> {
  const dialog = part('sign-in');
  if (!(dialog instanceof HTMLDialogElement)) throw new Error('sign-in is no dialog');
  part('sign-in-problem').textContent = problem;
  dialog.showModal();
  await new Promise<void>((resolve) => {
    dialog.addEventListener('close', () => resolve(), { once: true });
  });
  const token = inputPart('token').value.trim();
  if (token !== '') keepToken(token);
}
