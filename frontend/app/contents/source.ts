/** Where pictures to take away come from: the stack that is looked at, each as it is seen. */

import type { SeriesRow, StudyDetail } from '../api/types';
import { formatDate, formatNumber, formatTime, t } from '../i18n/index.svelte';
import { readName } from '../parts/person';
import type { Stack, StackPicture } from '../viewing/stack';
import { takeFrame, type Corners, type Taken } from '$viewer/contents/taking';
import { fetchFrame } from '$viewer/loader';
import type { Voi } from '$viewer/grey';

export interface PictureSource {
  study: StudyDetail;
  series: SeriesRow;
  count: number;
  /** The place that is looked at. */
  index: number;
  /** Frames a second. */
  rate: number;
  at: (place: number) => StackPicture | undefined;
  /** The picture at a place as it is seen, at its own resolution, without texts. */
  take: (place: number, signal: AbortSignal) => Promise<Taken>;
}

/** Pictures of a stack in a window; `voi` as the viewer shows them. */
export function sourceOf(study: StudyDetail, series: SeriesRow, stack: Stack, index: number, rate: number, voi: Voi): PictureSource {
  return {
    study,
    series,
    count: stack.count,
    index,
    rate,
    at: (place) => stack.at(place),
    take: async (place, signal) => {
      const address = stack.address(place);
      if (!address) throw new Error('there is no picture here');
      return takeFrame(await fetchFrame(address, signal, { onShare: () => undefined }), voi);
    },
  };
}

/** Whose picture it is, and which, as it stands beside it. */
export function cornersOf({ study, series, count }: PictureSource, place: number): Corners {
  const name = readName(study.patient.name);
  return {
    topLeft: [name.main, name.other, [study.patient.id, formatDate(study.patient.birth_date), study.patient.sex].filter(Boolean).join(' · ')],
    topRight: [study.description, `${formatDate(study.study_date)} ${formatTime(study.study_time)}`.trim(), study.accession_number],
    bottomLeft: [[`${series.modality} ${series.number ?? ''}`.trim(), series.description].filter(Boolean).join(' · '), t('view.image', { index: place + 1, count })],
    bottomRight: [],
  };
}

/** The places from one to another, both counted from 1, that hold pictures. */
export function placesOf(source: PictureSource, from: number, to: number): number[] {
  const first = Math.max(1, Math.min(from, to));
  const last = Math.min(source.count, Math.max(from, to));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first - 1 + at).filter((place) => source.at(place)?.instance.viewable);
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
