import { describe, expect, it } from 'vitest';
import {
  choose, matches, mirrorsFor, orientationOf, says, type Assignment, type HangingSeries, type HangingStudy, type Protocol,
} from './hanging';
import { builtIn } from './hanging-defaults';
import { learn, protocolsOf, readStored } from './hanging-stored';

const AXIAL = [1, 0, 0, 0, 1, 0];
const SAGITTAL = [0, 1, 0, 0, 0, -1];

const series = (id: string, modality: string, more: Partial<HangingSeries> = {}): HangingSeries => ({
  id, modality, number: null, description: '', protocol: '', body_part: '', laterality: '', orientation: [], views: [],
  frame_count: 20, pictured: true, ...more,
});

const study = (id: string, all: HangingSeries[], description = ''): HangingStudy => ({
  id, description, modalities: [...new Set(all.map(({ modality }) => modality))], series: all,
});

const standing = ({ panes }: Assignment): (string | null)[] =>
  panes.map((pane) => (pane ? [pane.series, pane.instance].filter(Boolean).join('/') : null));

const hung = (one: HangingStudy, priors: HangingStudy[] = [], protocols: readonly Protocol[] = builtIn): Assignment =>
  choose(one, priors, protocols);

const ct = study('now', [
  series('scout', 'CT', { description: 'Topogram', frame_count: 2, orientation: AXIAL }),
  series('thick', 'CT', { description: 'Thorax 5.0', orientation: AXIAL, frame_count: 80 }),
  series('thin', 'CT', { description: 'Thorax 1.0', orientation: AXIAL, frame_count: 400 }),
]);

describe('a CT', () => {
  it('stands alone with its most pictures, not with its scout', () => {
    expect(standing(hung(ct))).toEqual(['thin']);
  });

  it('stands beside the series of the last CT that is most like it', () => {
    const before = study('before', [
      series('bone', 'CT', { description: 'Bone 1.0', orientation: SAGITTAL }),
      series('same', 'CT', { description: 'Thorax 1.0', orientation: AXIAL }),
    ]);
    const xray = study('xray', [series('pa', 'CR')]);
    const found = hung(ct, [xray, before]);
    expect([found.rows, found.columns, found.linked, standing(found)]).toEqual([1, 2, true, ['thin', 'same']]);
    expect(found.panes[1]?.study).toBe('before');
  });

  it('of which only a scout is here is shown all the same', () => {
    expect(standing(hung(study('now', [series('scout', 'CT', { description: 'Topogram' })])))).toEqual(['scout']);
  });
});

describe('an MR', () => {
  it('shows its sequences in four panes', () => {
    const found = hung(study('now', [
      series('survey', 'MR', { description: 'Survey' }), series('dwi', 'MR', { description: 'ep2d_diff ADC' }),
      series('t1', 'MR', { description: 'T1 tse tra' }), series('flair', 'MR', { description: 'T2 FLAIR' }),
      series('t2', 'MR', { description: 't2_tse_tra' }),
    ]));
    expect(standing(found)).toEqual(['t2', 't1', 'flair', 'dwi']);
  });

  it('fills what is left with what is left', () => {
    const found = hung(study('now', ['a', 'b', 'c'].map((id) => series(id, 'MR', { description: id }))));
    expect(standing(found)).toEqual(['a', 'b', 'c', null]);
  });
});

const view = (id: string, name: string, side: string) => ({ instance_id: id, view: name, side });

describe('a mammogram', () => {
  const expected = ['right', 'left', 'right', 'left'];

  it.each([
    ['in one series', [series('mg', 'MG', {
      views: [view('lmlo', 'MLO', 'L'), view('rcc', 'CC', 'R'), view('spot', 'CC modified', 'R'), view('lcc', 'CC', 'L'), view('rmlo', 'MLO', 'R')],
    })], ['mg/rcc', 'mg/lcc', 'mg/rmlo', 'mg/lmlo']],
    ['in a series each', [
      series('a', 'MG', { views: [view('lmlo', 'MLO', 'L')] }), series('b', 'MG', { views: [view('rcc', 'CC', 'R')] }),
      series('c', 'MG', { views: [view('lcc', 'CC', 'L')] }), series('d', 'MG', { views: [view('rmlo', 'MLO', 'R')] }),
    ], ['b/rcc', 'c/lcc', 'd/rmlo', 'a/lmlo']],
  ])('hangs its four views %s, right and left facing each other', (_, all, standingThere) => {
    const found = hung(study('now', all));
    expect(standing(found)).toEqual(standingThere);
    expect(found.panes.map((pane) => pane?.chest_wall)).toEqual(expected);
  });

  it('leaves the pane of a view that is missing empty', () => {
    const one = study('now', [series('mg', 'MG', { views: [view('rcc', 'CC', 'R'), view('lmlo', 'MLO', 'L')] })]);
    expect(standing(hung(one))).toEqual(['mg/rcc', null, null, 'mg/lmlo']);
  });

  it('is mirrored where its chest wall lies at the other edge', () => {
    expect(mirrorsFor('right', ['P', 'L'])).toBe(false); // rows lead to the back: the chest wall is at the right
    expect(mirrorsFor('right', ['A', 'R'])).toBe(true);
    expect(mirrorsFor('left', ['A', 'FL'])).toBe(false);
    expect(mirrorsFor('left', [])).toBe(false);
  });
});

describe('other studies', () => {
  it('show a chest from before and from the side', () => {
    const dx = study('now', [series('l', 'DX', { views: [view('1', 'LL', '')] }), series('p', 'DX', { views: [view('2', 'PA', '')] })]);
    expect(standing(hung(dx))).toEqual(['p/2', 'l/1']);
    const alone = study('now', [series('p', 'DX', { views: [view('2', 'PA', '')] })]);
    expect(standing(hung(alone))).toEqual(['p']);
  });

  it('show CT and PET beside each other', () => {
    const both = study('now', [series('pet', 'PT'), series('ct', 'CT', { orientation: AXIAL })]);
    expect(standing(hung(both, [ct]))).toEqual(['ct', 'pet']);
  });

  it('stand alone, pictures before reports', () => {
    const other = study('now', [series('sr', 'SR', { pictured: false }), series('es', 'ES')]);
    expect(standing(hung(other))).toEqual(['es']);
    expect(standing(hung(study('now', [])))).toEqual([null]);
  });
});

const own = (more: Partial<Protocol> = {}): Protocol => ({
  id: 'own', name: 'Own', match: {}, layout: { rows: 1, columns: 1 }, panes: [{ study: 0, number: 7 }], linked: true, priority: 5, ...more,
});

describe('the choice of a protocol', () => {
  it('falls to the higher priority, then to who asks for more, and passes by what cannot be filled', () => {
    const seven = study('now', [series('a', 'CT', { number: 1 }), series('b', 'CT', { number: 7 })]);
    expect(standing(hung(seven, [], [...builtIn, own()]))).toEqual(['b']);
    expect(hung(ct, [], [...builtIn, own()]).protocol?.id).toBe('builtin-ct');
    const exact = own({ id: 'exact', match: { modalities: ['CT'] } });
    expect(hung(seven, [], [own(), exact]).protocol?.id).toBe('exact');
  });

  it.each([
    [{ modalities: ['CT', 'MR'] }, true],
    [{ modalities: ['CT', 'MR'], every: true }, false],
    [{ description: 'thorax -knie' }, true],
    [{ body_parts: ['Chest'] }, true],
    [{ body_parts: ['HEAD'] }, false],
    [{ series_min: 2 }, false],
    [{ series_max: 1 }, true],
    [{ laterality: 'L' as const }, true],
    [{ with_prior: true }, false],
    [{ with_prior: false }, true],
  ])('by %o is %s', (match, expected) => {
    const one = study('now', [series('a', 'CT', { body_part: 'CHEST', laterality: 'L' })], 'CT Thorax nativ');
    expect(matches(match, one, [])).toBe(expected);
  });
});

describe('words of a description', () => {
  it.each([
    ['', 'anything', true], ['t2 tra', 'T2_TSE_TRA', true], ['t2 -fs', 't2 tse fs', false], ['flair, stir', 'Cor STIR', true],
    ['schadel', 'CT Schädel', true], ['/^t[12]\\b/', 'T1 tra', true], ['/[/', 'anything', false], ['/x/', 'T1', false],
  ])('%s in %s', (pattern, text, expected) => {
    expect(says(pattern, text)).toBe(expected);
  });

  it('know planes by their directions', () => {
    expect([AXIAL, SAGITTAL, [1, 0, 0, 0, 0, -1], [1, 0, 0], [1, 0, 0, 0, 0.6, 0.6]].map(orientationOf)).toEqual([
      'axial', 'sagittal', 'coronal', null, null,
    ]);
  });
});

describe('what was stored', () => {
  it('is read with care', () => {
    const stored = readStored({ protocols: [own(), null, { id: 'x' }, { ...own(), id: 'y', layout: { rows: 99, columns: 1 } }, { ...own(), id: 'z', panes: [7, { side: 'X', study: 1 }] }], off: ['builtin-ct', 3] });
    expect(stored.protocols.map(({ id }) => id)).toEqual(['own', 'z']);
    expect(stored.protocols[0]).toEqual(own());
    expect(stored.protocols[1]?.panes).toEqual([{ study: 0 }]);
    for (const nothing of [null, undefined, 7, 'x', [], {}]) expect(readStored(nothing)).toEqual({ protocols: [], off: [] });
  });

  it('counts before the organisation’s, and both before what came with the program', () => {
    const names = (mine: unknown, ours: unknown): string[] => protocolsOf(mine, ours).map(({ id }) => id);
    expect(names({ protocols: [own()], off: [] }, { protocols: [own({ id: 'ours' })] })[0]).toBe('own');
    expect(names(null, { protocols: [own({ id: 'ours' })], off: ['builtin-ct'] })).toEqual(['ours', ...builtIn.map(({ id }) => id).filter((id) => id !== 'builtin-ct')]);
  });

  it('is made of what stands in the panes, and hangs the same study so again', () => {
    const before = study('before', [series('old', 'CT', { description: 'Thorax 1.0', orientation: AXIAL })]);
    const made = learn('own', 'Follow-up', [ct, before], { rows: 1, columns: 3 }, [
      { study: 0, series: 'thick' }, null, { study: 1, series: 'old' },
    ], false);
    expect(made.match).toEqual({ modalities: ['CT'], with_prior: true });
    expect(readStored({ protocols: [made] }).protocols[0]).toEqual(made);
    expect(standing(hung(ct, [before], [made]))).toEqual(['thick', null, 'old']);
  });
});
