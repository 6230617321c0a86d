// A scratch cluster that outlives its owner, until a moment: the marker says until when, and a process of its own sleeps until
// then and ends it (`expire-worker.ts`). Whoever opens a scratch cluster in the folder after that ends it too, so it goes even
// where the sleeper is lost with the machine.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SpillwayError } from '@spillway/contract';
import { readScratchMarkers, type ScratchMarker, type ScratchPlace, writeScratchMarker } from './marker.ts';

const SECOND = 1000;

/** It looks now and then whether there is still something to end, so that it does not outlast what was ended before its time. */
const SLEEPER = `left=$1
while [ "$left" -gt 0 ] && [ -e "$6" ]; do
  nap=$(( left < 10 ? left : 10 ))
  sleep "$nap"
  left=$(( left - nap ))
done
[ -e "$6" ] && exec "$2" "$3" "$4" "$5"`;

/** Another end for what is kept already. Throws SPW_USAGE where there is none of that id. */
export async function keepScratch(folder: string, id: string, until: Date): Promise<void> {
  const one = (await readScratchMarkers(folder)).found.find(({ place }) => place.id === id);
  if (one === undefined) {
    throw new SpillwayError('SPW_USAGE', `there is no scratch cluster ${id} in ${folder}`, {
      why: 'it was ended by now, or never was',
    });
  }
  await keepPlace(one.place, one.marker, until, folder);
}

export async function keepPlace(
  place: ScratchPlace,
  marker: ScratchMarker,
  until: Date,
  folder: string,
): Promise<void> {
  await writeScratchMarker(place, { ...marker, expires_at: until.toISOString() });
  // A second more, so that its time has come for sure when it is looked at.
  const seconds = Math.max(0, Math.ceil((until.getTime() - Date.now()) / SECOND)) + 1;
  const program = fileURLToPath(new URL('./expire-worker.ts', import.meta.url));
  spawn(
    '/bin/sh',
    ['-c', SLEEPER, 'spillway', String(seconds), process.execPath, program, folder, place.id, place.marker],
    { cwd: '/', env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, detached: true, stdio: 'ignore' },
  )
    // Then the next who opens a scratch cluster there ends it.
    .on('error', () => undefined)
    .unref();
}
