/** The hanging protocols that are there before anybody makes one. Their names are words of the front end, by id. */

import type { Pick, Protocol } from './hanging';

const SCOUTS = '-scout -topogram -localizer -surview -scanogram';

const single = (id: string, modalities: readonly string[], pick: Omit<Pick, 'study'> = {}): Protocol => ({
  id,
  name: '',
  match: { modalities },
  layout: { rows: 1, columns: 1 },
  panes: [{ study: 0, otherwise: 'rest', ...pick }],
  linked: true,
  priority: 0,
});

const mammogram = (view: string, side: 'R' | 'L'): Pick => ({
  study: 0,
  modality: 'MG',
  views: [view],
  side,
  chest_wall: side === 'R' ? 'right' : 'left', // each breast's chest wall towards the middle of the screen
});

const sequence = (description: string): Pick => ({ study: 0, modality: 'MR', description, otherwise: 'rest' });

export const builtIn: readonly Protocol[] = [
  {
    id: 'builtin-pet-ct',
    name: '',
    match: { modalities: ['PT', 'CT'], every: true },
    layout: { rows: 1, columns: 2 },
    panes: [
      { study: 0, modality: 'CT', description: SCOUTS, orientation: 'axial', sort: 'images', needed: true },
      { study: 0, modality: 'PT', sort: 'images', needed: true },
    ],
    linked: true,
    priority: 0,
  },
  {
    id: 'builtin-ct-prior',
    name: '',
    match: { modalities: ['CT'], with_prior: true },
    layout: { rows: 1, columns: 2 },
    panes: [
      { study: 0, modality: 'CT', description: SCOUTS, sort: 'images', needed: true },
      { study: 1, modality: 'CT', like: 0, needed: true },
    ],
    linked: true,
    priority: 0,
  },
  single('builtin-ct', ['CT'], { modality: 'CT', description: SCOUTS, sort: 'images' }),
  {
    id: 'builtin-mr',
    name: '',
    match: { modalities: ['MR'], series_min: 3 },
    layout: { rows: 2, columns: 2 },
    panes: [
      sequence('t2 -flair -scout -localizer -survey'),
      sequence('t1 -scout -localizer -survey'),
      sequence('flair, stir, tirm, pd -scout -localizer'),
      sequence('dwi, diff, adc, trace, ep2d'),
    ],
    linked: true,
    priority: 0,
  },
  {
    id: 'builtin-mg',
    name: '',
    match: { modalities: ['MG'] },
    layout: { rows: 2, columns: 2 },
    panes: [mammogram('CC', 'R'), mammogram('CC', 'L'), mammogram('MLO', 'R'), mammogram('MLO', 'L')],
    linked: true,
    priority: 0,
  },
  {
    id: 'builtin-chest',
    name: '',
    match: { modalities: ['CR', 'DX'] },
    layout: { rows: 1, columns: 2 },
    panes: [
      { study: 0, views: ['PA', 'AP'], needed: true },
      { study: 0, views: ['LAT', 'LL', 'RL', 'LATERAL'], needed: true },
    ],
    linked: false,
    priority: 0,
  },
  single('builtin-us', ['US']),
];
