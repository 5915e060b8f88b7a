/** The keys of films, recordings and slides, as the help names them; they count while what they move has the focus. */

import type { Key } from '../i18n/en';
import type { KeyRow } from '../viewing/tools';
import type { ContentKind } from './kind';

const SHIFT = { name: 'key.shift' } as const;
const ARROWS = ['←', '↑', '→', '↓'] as const;

export interface ContentKeys {
  title: Key;
  rows: readonly KeyRow[];
}

export const contentKeys: Readonly<Partial<Record<ContentKind, ContentKeys>>> = {
  video: {
    title: 'keys.video',
    rows: [
      { keys: [{ name: 'key.space' }], label: 'keys.cine' },
      { keys: ['←', '→'], label: 'keys.videoFrame' },
      { keys: [{ name: 'key.pageUp' }, { name: 'key.pageDown' }], label: 'keys.videoTens' },
      { keys: [{ name: 'key.home' }, { name: 'key.end' }], label: 'keys.videoEnds' },
    ],
  },
  waveform: {
    title: 'keys.wave',
    rows: [
      { keys: [{ name: 'key.enter' }], label: 'keys.waveCaliper' },
      { keys: ARROWS, label: 'keys.waveEnd' },
      { keys: [SHIFT, '+', ...ARROWS], label: 'keys.waveBeginning' },
      { keys: [{ name: 'key.escape' }], label: 'keys.waveNone' },
    ],
  },
  slide: {
    title: 'keys.slide',
    rows: [
      { keys: ARROWS, label: 'keys.slideMove' },
      { keys: ['+', '−'], label: 'keys.zoom' },
      { keys: ['F'], label: 'keys.slideAll' },
    ],
  },
};
