// `--stats`: what a command asked of the store, what that took at the server of a bucket, and about what it costs.

import type { StorageStatsDocument } from '@spillway/contract';
import { countersOf, estimateCost, type Repository } from '@spillway/engine';
import type { LoadedConfiguration } from './configuration/load.ts';
import { formatBytes, formatCount } from './ui/format.ts';

export interface StatsOptions {
  readonly stats?: boolean;
}

/** To be spread into the command's document; empty where nobody asked. */
export function statsOf(
  { stats }: StatsOptions,
  { configuration }: LoadedConfiguration,
  repository: Repository,
): { readonly storage?: StorageStatsDocument } {
  if (stats !== true) return {};
  const counted = countersOf(repository.location);
  const prices = configuration.repository.s3?.prices;
  const cost = estimateCost(
    counted,
    prices && {
      putPer1000: prices.put_1000,
      getPer1000: prices.get_1000,
      outPerGib: prices.out_gib,
    },
  );
  return {
    storage: {
      calls: {
        get: { calls: counted.get_calls, bytes: counted.get_bytes },
        put: { calls: counted.put_calls, bytes: counted.put_bytes },
        list: { calls: counted.list_calls },
        stat: { calls: counted.stat_calls },
        remove: { calls: counted.remove_calls },
      },
      requests:
        repository.location.kind === 's3'
          ? {
              put: counted.put_requests,
              get: counted.get_requests,
              list: counted.list_requests,
              delete: counted.delete_requests,
              sent_bytes: counted.sent_bytes,
              received_bytes: counted.received_bytes,
              retries: counted.retries,
              throttled: counted.throttled,
              requests_usd: cost.requestsUsd,
              transfer_usd: cost.transferUsd,
            }
          : null,
    },
  };
}

/** Lines to put after a command's own; nothing where nobody asked. */
export function renderStats({ storage }: { readonly storage?: StorageStatsDocument }): string {
  if (storage === undefined) return '';
  const { calls, requests } = storage;
  const { get, put, list, stat, remove } = calls;
  const lines = [
    '',
    'Storage:',
    `  written ${formatBytes(put.bytes)} in ${formatCount(put.calls, 'object')}, read ${formatBytes(get.bytes)} in ${formatCount(get.calls, 'call')}`,
    `  ${formatCount(list.calls, 'list')}, ${formatCount(stat.calls, 'look')}, ${formatCount(remove.calls, 'removal')}`,
  ];
  if (requests !== null) {
    const { put: puts, get: gets, list: lists, delete: deletes, retries, throttled } = requests;
    lines.push(
      `  requests: ${puts} PUT, ${gets} GET and HEAD, ${lists} LIST, ${deletes} DELETE; ${formatCount(retries, 'attempt')} repeated, ${throttled} throttled`,
      `  sent ${formatBytes(requests.sent_bytes)}, received ${formatBytes(requests.received_bytes)}`,
      `  about ${dollars(requests.requests_usd)} for requests, and ${dollars(requests.transfer_usd)} for reading where it left the region`,
    );
  }
  return `\n${lines.join('\n')}`;
}

const dollars = (usd: number): string => `$${usd.toFixed(usd >= 1 ? 2 : 4)}`;
