// The settings of a scratch server, which go over all that its restored configuration says. Pure.
//
//   apart    its source's configuration names files, commands and peers of the source: a log that both would write, a pid
//            file that one would take from the other, an archive that a cleanup would empty. None of it is to be touched
//   small    it runs beside production, so it gets little memory, and no workers of its own will
//   private  by its socket, in a folder of its account alone, it lets everybody in, as passwords may have been others at that
//            moment; by 127.0.0.1 it wants the password

import { ISOLATED_SETTINGS } from '../restore/recovery.ts';

export interface ScratchLimits {
  /** What the server plans its memory by; 256 MiB where nothing is said. */
  readonly memoryBytes?: number;
  /** 0 to 19, as nice(1) has it; 10 where nothing is said. */
  readonly niceness?: number;
  /** What it may take on disk. */
  readonly diskBytes?: number;
}

const MEBIBYTE = 1024 * 1024;
const MEMORY_BYTES = 256 * MEBIBYTE;
export const NICENESS = 10;

export const HBA = 'local all all trust\nhost all all 127.0.0.1/32 md5\n';

export function scratchSettings(
  limits: ScratchLimits,
  place: { readonly data: string; readonly hbaFile: string },
  purpose: string,
): Readonly<Record<string, string>> {
  const megabytes = Math.max(64, Math.floor((limits.memoryBytes ?? MEMORY_BYTES) / MEBIBYTE));
  return {
    ...ISOLATED_SETTINGS,
    cluster_name: `spillway ${purpose}`,
    data_directory: place.data,
    hba_file: place.hbaFile,
    unix_socket_group: '',
    unix_socket_permissions: '0700',
    ssl: 'off',
    log_destination: 'stderr',
    logging_collector: 'off',
    session_preload_libraries: '',
    local_preload_libraries: '',
    autovacuum: 'off',
    huge_pages: 'off',
    shared_buffers: `${Math.floor(megabytes / 4)}MB`,
    effective_cache_size: `${Math.floor(megabytes / 2)}MB`,
    maintenance_work_mem: `${Math.floor(megabytes / 8)}MB`,
    wal_keep_size: '0',
  };
}
