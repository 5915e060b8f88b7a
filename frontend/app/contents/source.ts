/** Where pictures to take away come from: the stack that is looked at, each as it is seen. */

import type { SeriesRow, StudyDetail } from '../api/types';
import { formatNumber } from '../i18n/index.svelte';
import { isPicture, type StackPicture } from '../viewing/stack';
import type { Snapshot } from '$viewer/screen';

export interface PictureSource {
  study: StudyDetail;
  series: SeriesRow;
  count: number;
  /** The place that is looked at. */
  index: number;
  /** The places of key images. */
  keys: readonly number[];
  /** Frames a second. */
  rate: number;
  at: (place: number) => StackPicture | undefined;
  /** What tells the picture at a place from others that lie where it does; mostly nothing. */
  telling: (place: number) => string;
  /** The picture at a place as it is seen, with marks, as large as on `written` pixels of a screen; what is said beside it is apart. */
  take: (place: number, signal: AbortSignal, written?: number) => Promise<Snapshot>;
}

/** The places from one to another, both counted from 1, that hold pictures. */
export function placesOf(source: PictureSource, from: number, to: number): number[] {
  const first = Math.max(1, Math.min(from, to));
  const last = Math.min(source.count, Math.max(from, to));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first - 1 + at).filter((place) => {
    const found = source.at(place);
    return found !== undefined && isPicture(found.instance);
  });
}

export function instancesOf(source: PictureSource, places: readonly number[]): string[] {
  return [...new Set(places.flatMap((place) => source.at(place)?.instance.id ?? []))];
}

/** A name for a file that tells nothing of the patient. */
export function fileName({ series }: PictureSource, place: number | null, form: string): string {
  const parts = ['radrelay', series.modality.toLowerCase(), series.number ?? '', place === null ? '' : formatNumber(place + 1).replace(/\D/g, '')];
  return `${parts.filter((one) => one !== '').join('-')}.${form === 'jpeg' ? 'jpg' : form}`;
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
