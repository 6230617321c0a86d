// How long a person waits for the help. What `backups --json` takes on a large repository is measured with that (`synthetic.ts`).

import type { Sample } from '../figures.ts';
import { measure } from '../measure.ts';
import { OURS, SPILLWAY_PROGRAM } from '../peers/spillway.ts';
import type { Experiment, Part } from './scenario.ts';

/** A start is short, so one round has several. */
const STARTS = 10;
const HELP: Part = {
  name: 'start-up-help',
  title: '`spillway --help`',
  goals: [{ measure: 'seconds', limit: 0.12, most: 1 }],
};

export const startUp: Experiment = {
  name: 'start-up',
  title: 'start of the command line',
  parts: [HELP],
  run: async (stage) => {
    const help = { program: process.execPath, words: [SPILLWAY_PROGRAM, '--help'] };
    // The first one compiles, once for this version.
    await measure(help, undefined, stage.signal);
    const samples: Sample[] = [];
    for (let start = 0; start < STARTS * stage.rounds; start++) {
      const { seconds, cpuSeconds, readBytes } = await measure(help, undefined, stage.signal);
      samples.push({ scenario: HELP.name, peer: OURS, seconds, cpuSeconds, readBytes });
    }
    return samples;
  },
};
