// Bytes that a process and those it waited for read and wrote, from `/proc/<pid>/io` (proc(5)). Pure.
//
// 1. Read: `rchar`, all that read calls returned, from the page cache or the disk, and from pipes and sockets. Only so do
//    runs on warm caches, which read nothing from the disk, tell what was looked at. Memory maps are not in it.
// 2. Written: `write_bytes` less `cancelled_write_bytes`, pages of files that were made dirty and not thrown away unwritten;
//    pipes and sockets are not in it, nor is what lies on tmpfs.
// What a child read and wrote is added to its parent's when that waits for it, so a shell that waited knows it all.

export interface ProcessIo {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** Undefined where the text is none of the kernel's. */
export function parseProcessIo(text: string): ProcessIo | undefined {
  const field = (name: string): number | undefined => {
    const found = new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const [read, written, cancelled] = [field('rchar'), field('write_bytes'), field('cancelled_write_bytes')];
  if (read === undefined || written === undefined || cancelled === undefined) return undefined;
  return { readBytes: read, writtenBytes: Math.max(0, written - cancelled) };
}
