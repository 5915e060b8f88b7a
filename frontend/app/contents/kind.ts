/** What an object holds instead of a plain picture, told by its class; tiny, for whoever decides what a pane shows. */

import type { InstanceRow } from '../api/types';

export type ContentKind = 'report' | 'waveform' | 'pdf' | 'video' | 'slide';

const STORAGE = '1.2.840.10008.5.1.4.1.1.';
const kinds: readonly [ContentKind, RegExp][] = [
  ['report', /^88\./],
  ['waveform', /^9\./],
  ['pdf', /^104\.1$/],
  ['slide', /^77\.1\.6$/],
];

/** MPEG-2, MPEG-4 AVC and HEVC, fragmentable or not (PS3.5 8.2.5 to 8.2.8). */
const FILM = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?$/;

export function contentKind(instance: Pick<InstanceRow, 'sop_class_uid' | 'transfer_syntax'>): ContentKind | null {
  if (FILM.test(instance.transfer_syntax)) return 'video';
  if (!instance.sop_class_uid.startsWith(STORAGE)) return null;
  const rest = instance.sop_class_uid.slice(STORAGE.length);
  return kinds.find(([, pattern]) => pattern.test(rest))?.[0] ?? null;
}
