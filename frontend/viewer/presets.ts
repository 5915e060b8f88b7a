/** Window presets by modality; their names are keys that the pages put into words. */

import type { Window } from './grey';

export interface Preset extends Window {
  key: string;
}

const computedTomography: readonly Preset[] = [
  { key: 'soft', center: 40, width: 400 },
  { key: 'lung', center: -600, width: 1500 },
  { key: 'bone', center: 400, width: 1800 },
  { key: 'brain', center: 40, width: 80 },
  { key: 'stroke', center: 35, width: 40 },
  { key: 'liver', center: 60, width: 160 },
  { key: 'mediastinum', center: 50, width: 350 },
  { key: 'angio', center: 250, width: 700 },
];

/** CT numbers mean the same everywhere; other modalities have no common scale and get none. */
export function presetsFor(modality: string): readonly Preset[] {
  return modality === 'CT' ? computedTomography : [];
}
