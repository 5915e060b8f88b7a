/** Why an object shows no picture, told by its kind; in words of the reader's language where the kind is known. */

import type { InstanceRow } from '../api/types';

const STORAGE = '1.2.840.10008.5.1.4.1.1.';

const kinds: readonly [string, RegExp][] = [
  ['pdf', /^104\.1$/],
  ['structured-report', /^88\.(?!59$)/],
  ['key-objects', /^88\.59$/],
  ['presentation-state', /^11\./],
  ['segmentation', /^66\.[45]$/],
  ['waveform', /^9\./],
  ['rt-plan', /^481\.(?!1$|2$)/],
];

const isVideo = (transferSyntax: string): boolean => /^1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?$/.test(transferSyntax);

/** Returns the key of a reason, or an empty text where only the server's own words remain. */
export function reasonOf(instance: Pick<InstanceRow, 'sop_class_uid' | 'transfer_syntax'>): string {
  if (isVideo(instance.transfer_syntax)) return 'video';
  if (!instance.sop_class_uid.startsWith(STORAGE)) return '';
  const rest = instance.sop_class_uid.slice(STORAGE.length);
  return kinds.find(([, pattern]) => pattern.test(rest))?.[0] ?? '';
}
