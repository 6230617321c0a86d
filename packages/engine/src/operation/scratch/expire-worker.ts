// A process of its own that ends a kept scratch cluster when its time has come; started asleep by `keep`.
//
// What it wakes up for is looked at anew: one whose time was put off has another process waiting for it. It speaks to nobody:
// what it cannot end is found again by the next who opens a scratch cluster in that folder.

import { endScratch, listScratch } from './remove.ts';

const [folder = '', id = ''] = process.argv.slice(2);
const found = (await listScratch(folder)).find((each) => each.id === id);
if (found?.state === 'expired') await endScratch(folder, id);
