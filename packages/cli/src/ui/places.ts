// Where else a backup or dump is, in lines below what is said of it.

import type { PlacesDocument } from '@spillway/contract';

/** Nothing where there are no copies. */
export function renderPlaces(places: PlacesDocument): string {
  if (places.length === 0) return '';
  const complete = places.filter(({ state }) => state === 'complete').map(({ place }) => place);
  const behind = places.filter(({ state }) => state === 'behind').map(({ place }) => place);
  const also = complete.length === 0 ? '' : `\n  also at ${complete.join(', ')}`;
  return behind.length === 0 ? also : `${also}\n  NOT at ${behind.join(', ')}`;
}
