/** Presentation states that are applied: the one asked for last counts, on the pictures that it names alone. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { DrawingContent, DrawnPresentation, WantedBlend } from '$viewer/drawings/content';
import type { InstanceRow, SeriesRow, StudyDetail } from '../api/types';
import type { Held } from '../viewing/bare-browser';

const asked = await vi.hoisted(async () => (await import('../viewing/bare-browser')).bareBrowser());

const { Room } = await import('../viewing/room.svelte');
const { StudyDrawings } = await import('./drawings.svelte');
const { OneDrawing } = await import('./shown.svelte');

const instance = (id: string) => ({ id, viewable: true, frames: 1, sop_class_uid: '1.2.840.10008.5.1.4.1.1.1', position: null, orientation: null, pixel_spacing: null, rows: 1, columns: 2 }) as unknown as InstanceRow;
const series = (id: string) => ({ id, modality: 'CR', description: id, pictured: true }) as unknown as SeriesRow;
const study = (id: string) => ({ id, series: [series('thorax')] }) as unknown as StudyDetail;
const row = (id: string) => ({ instance_id: id, series_id: 'states', kind: 'presentation', label: id, trouble: '', over: ['thorax'], drawn_on: [], images: [] });

/** A state of one window for one picture. */
function state(id: string, of: string, center: number, more: Partial<DrawnPresentation> = {}): DrawingContent {
  const presentation: DrawnPresentation = {
    windows: [{ center, width: 20, function: 'LINEAR', table: null, on: null }], invert: false, rotation: 0, flip: false, areas: [], shutters: [],
    slope: null, intercept: null, modality_table: null, output_table: null, palette: null, blending: null, ...more,
  };
  return {
    instance_id: id, kind: 'presentation', label: id, description: '', creator: '', made_at: null, texts_hidden: false, groups: [], of: [[0, 0]],
    shapes: [], masks: null, presentation, flagged: [], images: [{ instance_id: of, series_id: 'thorax' }], spaces: [], notes: [],
  };
}

const settled = () => new Promise((done) => setTimeout(done, 5));
const held = (part: string): Held => {
  const at = asked.held.findIndex(({ url }) => url.includes(part));
  expect(at, `${part} is asked for`).toBeGreaterThanOrEqual(0);
  return asked.held.splice(at, 1)[0] as Held;
};

const PALETTE = btoa(Array.from({ length: 256 }, (_, level) => String.fromCharCode(level, 0, 0)).join(''));

/** A state that lays a PET over a CT. */
function blending(ofPet = 'pet1'): DrawingContent {
  const window = { center: 40, width: 400, function: 'LINEAR', table: null, on: null };
  const part = (place: number) => ({ on: [[place, 0]] as const, window, slope: null, intercept: null });
  const saved = state('fused', 'ct1', 40, { blending: { under: part(0), over: part(1), opacity: 0.3, palette: PALETTE } });
  return { ...saved, of: [[0, 0], [1, 0]], images: [{ instance_id: 'ct1', series_id: 'thorax' }, { instance_id: ofPet, series_id: 'pet' }] };
}

beforeEach(() => {
  asked.paint();
  asked.held.splice(0);
});

/** A radiograph, PA and lateral, with states of its own. */
async function reading(...states: string[]) {
  const room = new Room('window');
  const pane = room.active;
  pane.mount(asked.create() as unknown as HTMLCanvasElement);
  const opened = pane.show({ study: study('chest'), series: series('thorax') });
  held('/series/thorax').answer({ frame_of_reference: null, instances: ['pa', 'lateral'].map(instance) });
  await opened;
  await settled();
  const drawings = new StudyDrawings(room);
  const read = drawings.read(study('chest'));
  held('/studies/chest/drawings').answer({ drawings: states.map(row) });
  await read;
  const go = async (place: number): Promise<void> => {
    pane.viewer?.go(place);
    await settled();
    drawings.looking.follow(); // as the page does when pictures change
  };
  const looks = () => [pane.view?.window?.center, pane.view?.window?.width, pane.view?.invert];
  const one = (at: number) => drawings.all[at] as InstanceType<typeof OneDrawing>;
  return { pane, drawings, go, looks, one };
}

const AS_SENT = [50, 100, false];

describe('a presentation state that is applied', () => {
  it('gives way to one that was chosen later, also where it comes last', async () => {
    const { drawings, looks, one } = await reading('slow', 'quick');
    const both = [drawings.apply(one(0), true), drawings.apply(one(1), true)];
    expect([one(0).isApplied, one(1).isApplied]).toEqual([false, true]);
    held('/instances/quick/drawing').answer(state('quick', 'pa', 200));
    await settled();
    held('/instances/slow/drawing').answer(state('slow', 'pa', 10));
    await Promise.all(both);
    expect(looks()).toEqual([200, 20, false]);
    expect([one(0).isApplied, one(1).isApplied]).toEqual([false, true]);
  });

  it('comes too late where it was taken back, hidden, or another study opened', async () => {
    for (const deed of ['taken back', 'hidden', 'another study'] as const) {
      const { drawings, looks, one } = await reading('slow');
      const slow = one(0);
      const applied = drawings.apply(slow, true);
      const answer = held('/instances/slow/drawing');
      if (deed === 'taken back') void drawings.apply(slow, false);
      if (deed === 'hidden') void drawings.show(slow, false);
      if (deed === 'another study') void drawings.read(study('next'));
      answer.answer(state('slow', 'pa', 10));
      await applied;
      expect([looks(), slow.isApplied]).toEqual([AS_SENT, false]);
    }
  });

  it('comes too late where the reader took a window meanwhile, also one of the same numbers or each picture’s own', async () => {
    for (const deed of ['another', 'the same', 'as sent'] as const) {
      const { drawings, pane, looks, one } = await reading('slow');
      pane.viewer?.setWindow({ center: 70, width: 7 });
      const applied = drawings.apply(one(0), true);
      const answer = held('/instances/slow/drawing');
      if (deed === 'another') pane.viewer?.setWindow({ center: 80, width: 8 });
      if (deed === 'the same') pane.viewer?.setWindow({ center: 70, width: 7 });
      if (deed === 'as sent') pane.viewer?.setAsSent();
      const now = looks();
      answer.answer(state('slow', 'pa', 10));
      await applied;
      expect([looks(), one(0).isApplied, one(0).isShown]).toEqual([now, false, true]);
      await drawings.apply(one(0), true);
      expect([looks(), one(0).isApplied]).toEqual([[10, 20, false], true]);
    }
  });

  it('comes in time where the reader took a window for a picture that it does not name', async () => {
    const { drawings, pane, go, looks, one } = await reading('state');
    const applied = drawings.apply(one(0), true);
    const answer = held('/instances/state/drawing');
    await go(1);
    pane.viewer?.setWindow({ center: 80, width: 8 });
    answer.answer(state('state', 'pa', 10));
    await applied;
    expect([looks(), one(0).isApplied]).toEqual([[80, 8, false], true]);
    await go(0);
    expect(looks()).toEqual([10, 20, false]);
  });

  it('without a window shows all that the picture can hold, unless it may have one that cannot be read', async () => {
    for (const [notes, seen] of [[[], [127.5, 255, false]], [['table-unreadable'], AS_SENT]] as const) {
      const { drawings, looks, one } = await reading('state');
      const applied = drawings.apply(one(0), true);
      held('/instances/state/drawing').answer({ ...state('state', 'pa', 10, { windows: [] }), notes });
      await applied;
      expect([looks(), one(0).isApplied]).toEqual([seen, true]);
    }
  });

  it('is not applied where it cannot be had', async () => {
    const { drawings, looks, one } = await reading('slow');
    const applied = drawings.apply(one(0), true);
    held('/instances/slow/drawing').fail();
    await applied;
    expect([looks(), one(0).isApplied]).toEqual([AS_SENT, false]);
  });

  it('is left when its drawing is hidden, and waits for one reading where two ask', async () => {
    const { drawings, looks, one } = await reading('state');
    const both = [drawings.show(one(0), true), drawings.apply(one(0), true)];
    held('/instances/state/drawing').answer(state('state', 'pa', 10));
    await Promise.all(both);
    expect([looks(), asked.held]).toEqual([[10, 20, false], []]);
    await drawings.showAll(false);
    expect([looks(), one(0).isApplied]).toEqual([AS_SENT, false]);
  });
});

describe('a picture that a state does not name', () => {
  async function applied(more: Partial<DrawnPresentation> = {}) {
    const all = await reading('state');
    const done = all.drawings.apply(all.one(0), true);
    held('/instances/state/drawing').answer(state('state', 'pa', 10, more));
    await done;
    return all;
  }

  it('is shown as it comes, and the state’s own again as it says', async () => {
    const { go, looks } = await applied({ invert: true });
    expect(looks()).toEqual([10, 20, true]);
    await go(1);
    expect(looks()).toEqual(AS_SENT);
    await go(0);
    expect(looks()).toEqual([10, 20, true]);
  });

  it('has the reader’s window, also one taken beside the state', async () => {
    const { drawings, pane, go, looks, one } = await reading('state');
    pane.viewer?.setWindow({ center: 70, width: 7 });
    const done = drawings.apply(one(0), true);
    held('/instances/state/drawing').answer(state('state', 'pa', 10));
    await done;
    await go(1);
    expect(looks()).toEqual([70, 7, false]);
    pane.viewer?.setWindow({ center: 80, width: 8 });
    await go(0);
    pane.viewer?.dragWindow(5, 0);
    expect(looks()).not.toEqual([10, 20, false]);
    await go(1);
    expect(looks()).toEqual([80, 8, false]);
    await go(0);
    expect(looks()).toEqual([10, 20, false]);
    await drawings.apply(one(0), false);
    expect(looks()).toEqual([80, 8, false]);
  });

  it('stands as the reader had it', async () => {
    const { pane, go } = await applied({ rotation: 90, flip: true });
    expect([pane.view?.angle, pane.view?.mirrored]).not.toEqual([0, false]);
    await go(1);
    expect([pane.view?.angle, pane.view?.mirrored]).toEqual([0, false]);
  });

  it('keeps the reader’s zoom where the state has none', async () => {
    const { pane, go } = await applied();
    pane.viewer?.zoom(3);
    const zoomed = pane.view?.scale;
    await go(1);
    expect([pane.view?.fitted, pane.view?.scale]).toEqual([false, zoomed]);
    await go(0);
    expect([pane.view?.fitted, pane.view?.scale]).toEqual([false, zoomed]);
  });

  it('is exported as the reader had it', async () => {
    const { pane } = await applied();
    const frame = pane.viewer?.seen?.frame;
    if (!frame) throw new Error('nothing is shown');
    expect(pane.viewer?.snapshot({ ...frame }, 0)?.window?.center).toBe(10);
    expect(pane.viewer?.snapshot({ ...frame }, 1)?.window?.center).toBe(50);
  });
});

describe('a blending state', () => {
  async function fusing(reference: string | null, upper = reference) {
    const all = await reading('fused');
    const wanted: WantedBlend[] = [];
    const study = { id: 'fusion', series: [series('thorax'), series('pet')] } as unknown as StudyDetail;
    const drawings = new StudyDrawings(all.pane.room, (blend) => wanted.push(blend));
    const read = drawings.read(study);
    held('/studies/fusion/drawings').answer({ drawings: [row('fused')] });
    await read;
    const one = drawings.all[0] as InstanceType<typeof OneDrawing>;
    const shown = one.show(true);
    held('/instances/fused/drawing').answer(blending());
    await shown;
    const answer = drawings.blend(one);
    const detail = (frame_of_reference: string | null) => ({ frame_of_reference, instances: [instance('ct1')] });
    held('/series/thorax').answer(detail(reference));
    held('/series/pet').answer(detail(upper));
    return { why: await answer, wanted };
  }

  it('is shown as two volumes in the same space, with what was saved', async () => {
    const { why, wanted } = await fusing('1.2.3');
    expect(why).toBeNull();
    expect(wanted).toMatchObject([{ series: 'pet', blending: { opacity: 0.3, palette: PALETTE } }]);
  });

  it('says that its series lie in different spaces, or in none that is known', async () => {
    expect(await fusing('1.2.3', '1.2.4')).toEqual({ why: 'other-space', wanted: [] });
    expect(await fusing(null)).toEqual({ why: 'other-space', wanted: [] });
  });
});
