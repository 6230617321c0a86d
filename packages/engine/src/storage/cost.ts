// What requests and transfer cost, estimated from what was counted. Storage itself is not in it: that depends on time.
//
// The prices are the list prices of S3 Standard in us-east-1, as of 2025. Other regions and classes cost more (STANDARD_IA
// twice as much a request); whoever pays something else configures it. Removals are free.

import { s3Defaults } from '@spillway/contract';
import type { Counters } from './process-state.ts';

/** In US dollars. */
export interface Prices {
  /** PUT and LIST. */
  readonly putPer1000: number;
  /** GET and HEAD. */
  readonly getPer1000: number;
  /** Read from outside the region; inside it nothing is paid. */
  readonly outPerGib: number;
}

export const listPrices: Prices = s3Defaults;

export interface Cost {
  readonly requestsUsd: number;
  /** Of what was received, where it left the region. */
  readonly transferUsd: number;
}

export function estimateCost(counters: Counters, prices: Prices = listPrices): Cost {
  const { put_requests: puts, list_requests: lists, get_requests: gets, received_bytes: bytes } = counters;
  return {
    requestsUsd: ((puts + lists) / 1000) * prices.putPer1000 + (gets / 1000) * prices.getPer1000,
    transferUsd: (bytes / 2 ** 30) * prices.outPerGib,
  };
}
