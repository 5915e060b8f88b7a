/** What is written around a picture that is taken away; without names, nothing that names the patient. */

import { formatDate, formatTime, t } from '../i18n/index.svelte';
import { readName } from '../parts/person';
import { changeText, lengthText, lossText, noScaleText, windowText } from '../viewing/saying';
import type { PictureSource } from './source';
import type { Said } from '$viewer/contents/framing';
import type { Snapshot } from '$viewer/screen';

/** Which series it is. What somebody typed at the device may hold a name, so it counts as one. */
export function seriesText({ series }: PictureSource, named: boolean): string {
  return [`${series.modality} ${series.number ?? ''}`.trim(), named ? series.description : ''].filter(Boolean).join(' · ');
}

export const imageText = (source: PictureSource, place: number): string =>
  [source.telling(place), t('view.image', { index: place + 1, count: source.count })].filter(Boolean).join(' · ');

/** Why no length may be taken from the picture, or only with care. */
export function scaleText({ bar, frame }: Pick<Snapshot, 'bar' | 'frame'>): string {
  if (!bar) return noScaleText(frame.facts);
  return bar.atDetector ? `${lengthText(bar.millimetres)} ${t('view.atDetector')}` : '';
}

/** How a picture is shown, and what it cannot tell any more. */
export const tellOf = (taken: Omit<Snapshot, 'canvas'>): string[] => [
  changeText(taken), windowText(taken.window, taken.frame), lossText(taken.frame.facts.loss), scaleText(taken),
];

/** What every picture carries wherever it goes: the patient's sides, and how long a length is. */
export function placing({ edges, bar }: Pick<Snapshot, 'edges' | 'bar'>): Said {
  return {
    topLeft: [],
    topRight: [],
    bottomLeft: [],
    bottomRight: [],
    edges,
    bar: bar && { pixels: bar.pixels, text: lengthText(bar.millimetres), rough: bar.atDetector },
  };
}

/** All that is written around a picture that leaves as a file. */
export function saidOf(source: PictureSource, place: number, taken: Omit<Snapshot, 'canvas'>, named: boolean): Said {
  const { study } = source;
  const name = readName(study.patient.name);
  return {
    ...placing(taken),
    ...(named && {
      topLeft: [name.main, name.other, [study.patient.id, formatDate(study.patient.birth_date), study.patient.sex].filter(Boolean).join(' · ')],
      topRight: [study.description, `${formatDate(study.study_date)} ${formatTime(study.study_time)}`.trim(), study.accession_number],
    }),
    bottomLeft: [seriesText(source, named), imageText(source, place)],
    bottomRight: tellOf(taken),
  };
}
