/** What was asked for arrives after the reader went on: it is not shown, and what the reader went on to stays. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { InstanceRow, SeriesDetail, SeriesRow, StudyDetail } from '../api/types';
import type { Held } from './bare-browser';

const asked = await vi.hoisted(async () => (await import('./bare-browser')).bareBrowser());

const { Room } = await import('./room.svelte');
const { PriorStudies } = await import('./priors.svelte');
const { Opening } = await import('./opening.svelte');
const { isUsed, take, takeDigit } = await import('./presetting');
const { entriesFor } = await import('$viewer/presets');
type RoomPane = (typeof Room)['prototype']['active'];

const CR = '1.2.840.10008.5.1.4.1.1.1';
const instance = (id: string) => ({ id, viewable: true, frames: 1, sop_class_uid: CR, transfer_syntax: '', position: null, orientation: null, pixel_spacing: null, rows: 1, columns: 2 }) as unknown as InstanceRow;
const series = (id: string) => ({ id, modality: 'CR', description: id, pictured: true }) as unknown as SeriesRow;
const study = (id: string, ...of: string[]) => ({ id, series: of.map(series) }) as unknown as StudyDetail;
const detail = (...ids: string[]) => ({ frame_of_reference: null, instances: ids.map(instance) });
const HARDER = { tables: [{ name: 'HARDER', first: 0, bits: 8, data: btoa('\x00\x00\xff\x00') }] };
const LATERAL = { tables: [{ name: 'LATERAL', first: 0, bits: 8, data: btoa('\xff\x00\x00\x00') }] };

const settled = () => new Promise((done) => setTimeout(done, 5));
const held = (part: string): Held => {
  const at = asked.held.findIndex(({ url }) => url.includes(part));
  expect(at, `${part} is asked for`).toBeGreaterThanOrEqual(0);
  return asked.held.splice(at, 1)[0] as Held;
};

beforeEach(() => {
  asked.paint();
  asked.held.splice(0);
  asked.made.splice(0);
});

/** A room whose pane shows a chest radiograph: PA, then lateral. */
async function chest(): Promise<RoomPane> {
  const room = new Room('window');
  const pane = room.active;
  pane.mount(asked.create() as unknown as HTMLCanvasElement);
  const shown = { study: study('chest', 'thorax'), series: series('thorax') };
  const opened = pane.show(shown);
  held('/series/thorax').answer(detail('pa', 'lateral'));
  await opened;
  await settled();
  expect(pane.view?.isCurrent).toBe(true);
  return pane;
}

const table = (pane: RoomPane) => {
  const found = entriesFor('CR', pane.view?.frame ?? null).find(({ deed }) => deed.does === 'table');
  if (!found) throw new Error('there is no table');
  return found;
};
const isTableUsed = (pane: RoomPane): boolean => pane.view !== null && isUsed(table(pane), pane.view, pane.picture);

describe('a table of an object', () => {
  it('is taken, and counts for its object alone: the next one is seen through its own', async () => {
    const pane = await chest();
    takeDigit(1, pane, 'CR');
    held('/instances/pa/frames/1/tables').answer(HARDER);
    await settled();
    expect([pane.view?.window?.curve?.name, pane.view?.chosen, isTableUsed(pane)]).toEqual(['HARDER', true, true]);
    pane.viewer?.go(1);
    await settled();
    expect(pane.view?.isCurrent).toBe(true);
    expect(pane.view?.window).toMatchObject({ center: 50, width: 100 });
    expect([pane.view?.window?.curve, pane.view?.chosen, isTableUsed(pane)]).toEqual([undefined, false, false]);
    held('/instances/lateral/frames/1/tables').answer(LATERAL);
    await settled();
    expect([pane.view?.window?.curve?.name, isTableUsed(pane)]).toEqual(['LATERAL', true]);
    pane.viewer?.go(0);
    expect([pane.view?.window?.curve?.name, isTableUsed(pane)]).toEqual(['HARDER', true]);
    expect(asked.held).toEqual([]); // each is asked for once
  });

  /** A pane that shows a run of two frames, the first of them through its table. */
  async function run(sopClass: string): Promise<RoomPane> {
    const pane = new Room('window').active;
    pane.mount(asked.create() as unknown as HTMLCanvasElement);
    const frames = [{ ...instance('run'), frames: 2, sop_class_uid: sopClass }];
    await pane.show({ study: study('run', 'run'), series: series('run') }, 0, { frame_of_reference: null, instances: frames } as unknown as SeriesDetail);
    await settled();
    takeDigit(1, pane, 'CR');
    held('/instances/run/frames/1/tables').answer(HARDER);
    await settled();
    asked.held.splice(0);
    pane.viewer?.go(1);
    await settled();
    return pane;
  }

  it('counts for its frame alone where the frames of an object may have tables each', async () => {
    const pane = await run('1.2.840.10008.5.1.4.1.1.12.1.1'); // enhanced XA
    expect([pane.view?.window?.curve, pane.view?.chosen]).toEqual([undefined, false]);
    held('/instances/run/frames/2/tables').answer(LATERAL);
    await settled();
    expect([pane.view?.window?.curve?.name, isTableUsed(pane)]).toEqual(['LATERAL', true]);
    pane.viewer?.go(0);
    expect(pane.view?.window?.curve?.name).toBe('HARDER');
  });

  it('counts at once for all frames of a run that has one for all', async () => {
    const pane = await run('1.2.840.10008.5.1.4.1.1.12.1');
    expect([pane.view?.window?.curve?.name, isTableUsed(pane), asked.held.length]).toEqual(['HARDER', true, 0]);
  });

  it('leaves an object that has none as it comes', async () => {
    const pane = await chest();
    takeDigit(1, pane, 'CR');
    held('/tables').answer(HARDER);
    await settled();
    pane.viewer?.go(1);
    await settled();
    held('/instances/lateral').answer({ tables: [] });
    await settled();
    expect([pane.view?.window?.curve, pane.view?.chosen]).toEqual([undefined, false]);
    pane.viewer?.dragWindow(10, 0);
    pane.viewer?.go(0);
    expect(pane.view?.window?.curve).toBeUndefined(); // a drag is another choice, for all
  });

  it('comes too late for another picture', async () => {
    const pane = await chest();
    takeDigit(1, pane, 'CR');
    pane.viewer?.go(1);
    await settled();
    held('/instances/pa').answer(HARDER);
    await settled();
    expect([pane.view?.window?.curve, pane.view?.chosen, isTableUsed(pane)]).toEqual([undefined, false, false]);
  });

  it('comes too late where another window was taken, or the own one again', async () => {
    for (const choose of [{ center: 7, width: 9 }, null]) {
      const pane = await chest();
      takeDigit(1, pane, 'CR');
      pane.viewer?.setWindow(choose);
      held('/tables').answer(HARDER);
      await settled();
      expect([pane.view?.window?.curve, pane.view?.chosen]).toEqual([undefined, choose !== null]);
    }
  });

  it('gives way to one that was asked for later and came sooner or later', async () => {
    for (const later of [0, 1]) {
      const pane = await chest();
      const { view } = pane;
      const [one, other] = [table(pane), { ...table(pane), key: 'table2', deed: { does: 'table', place: 1 } as const }];
      if (!view) throw new Error('nothing is shown');
      void take(one, pane, view);
      void take(other, pane, view);
      const both = { tables: [...HARDER.tables, ...LATERAL.tables] };
      const answers = [held('/tables'), held('/tables')];
      for (const at of [later, 1 - later]) {
        answers[at]?.answer(both);
        await settled();
      }
      expect(pane.view?.window?.curve?.name).toBe('LATERAL');
    }
  });
});

describe('an earlier study', () => {
  it('that was asked for in another patient’s room is not opened in this one, also where no list came', async () => {
    const priors = new PriorStudies();
    const listing = priors.load('mine');
    held('/priors').fail();
    expect(await listing).toBe(false);
    const opening = priors.open('earlier');
    priors.clear();
    held('/studies/earlier').answer(study('earlier', 'old'));
    expect(await opening).toBeNull();
    expect(priors.opened.size).toBe(0);
  });

  it('stays open when the list is asked for again', async () => {
    const priors = new PriorStudies();
    const opening = priors.open('earlier');
    const listing = priors.load('mine');
    held('/studies/earlier').answer(study('earlier', 'old'));
    held('/priors').answer({ priors: [], more: false });
    expect([(await opening)?.id, await listing, priors.opened.size]).toEqual(['earlier', true, 1]);
  });
});

describe('a picture that a report points at', () => {
  const target = { study_id: 'earlier', series_id: 'old', instance_id: 'b', frame: 1 };

  function reading() {
    const room = new Room('window');
    const priors = new PriorStudies();
    const opening = new Opening(room, priors, () => undefined);
    room.active.mount(asked.create() as unknown as HTMLCanvasElement);
    opening.study = study('mine', 'report', 'other');
    return { room, priors, opening, pane: room.active };
  }

  it('is shown', async () => {
    const { opening, pane } = reading();
    const followed = opening.follow(target);
    held('/studies/earlier').answer(study('earlier', 'old'));
    await settled();
    held('/series/old').answer(detail('a', 'b'));
    await followed;
    expect([pane.shown?.series.id, pane.viewer?.index]).toEqual(['old', 1]);
  });

  it('is not shown in the room of the next study', async () => {
    const { room, opening, priors, pane } = reading();
    const followed = opening.follow(target);
    room.clear(); // as another study's address does
    priors.clear();
    opening.study = study('next', 'first');
    held('/studies/earlier').answer(study('earlier', 'old'));
    await followed;
    expect(pane.shown).toBeNull();
    expect(asked.held).toEqual([]);
  });

  it('gives way to a series that was chosen meanwhile', async () => {
    const { opening, pane } = reading();
    const followed = opening.follow(target);
    const mine = opening.study as StudyDetail;
    opening.open(pane, mine, series('other'));
    held('/studies/earlier').answer(study('earlier', 'old'));
    await followed;
    held('/series/other').answer(detail('c'));
    await settled();
    expect([pane.shown?.series.id, pane.stack.count]).toEqual(['other', 1]);
  });

  it('gives way to another one of the same series that was asked for later', async () => {
    const { opening, pane } = reading();
    const mine = { ...target, study_id: 'mine', series_id: 'other' };
    const followed = [opening.follow(mine), opening.follow({ ...mine, instance_id: 'c' })];
    const [first, second] = [held('/series/other'), held('/series/other')];
    second.answer(detail('a', 'b', 'c'));
    await settled();
    first.answer(detail('a', 'b', 'c'));
    await Promise.all(followed);
    expect(pane.viewer?.index).toBe(2);
  });
});

describe('pictures that came since', () => {
  /** A study whose lateral is in hand, before which two more were sorted in since. */
  async function arrived() {
    const room = new Room('window');
    const opening = new Opening(room, new PriorStudies(), () => undefined);
    const pane = room.active;
    pane.mount(asked.create() as unknown as HTMLCanvasElement);
    const of = (opening.study = study('chest', 'thorax', 'old'));
    opening.open(pane, of, series('thorax'));
    held('/series/thorax').answer(detail('pa', 'lateral'));
    await settled();
    pane.viewer?.go(1);
    return { opening, pane };
  }
  const more = detail('scout', 'pa', 'oblique', 'lateral');

  it('leave the reader at the same picture', async () => {
    const { opening, pane } = await arrived();
    opening.renew();
    held('/series/thorax').answer(more);
    await settled();
    expect([pane.picture?.instance.id, pane.viewer?.index]).toEqual(['lateral', 3]);
  });

  it('leave the reader there also where they could not be had at first', async () => {
    const { opening, pane } = await arrived();
    opening.renew();
    held('/series/thorax').fail();
    await settled();
    pane.viewer?.go(0);
    pane.retry();
    held('/series/thorax').answer(more);
    await settled();
    expect(pane.picture?.instance.id).toBe('pa');
  });

  it('are gone to where a mark lies in them, in the series in hand and in another', async () => {
    const { opening, pane } = await arrived();
    opening.jump(series('thorax'), { instance_id: 'pa', frame: 1 });
    expect([pane.viewer?.index, asked.held.length]).toEqual([0, 0]);
    opening.jump(series('thorax'), { instance_id: 'oblique', frame: 1 });
    held('/series/thorax').answer(more);
    await settled();
    expect(pane.picture?.instance.id).toBe('oblique');
    opening.jump(series('old'), { instance_id: 'b', frame: 1 });
    held('/series/old').answer(detail('new', 'a', 'b'));
    await settled();
    expect(pane.picture?.instance.id).toBe('b');
  });
});

describe('what could not be had', () => {
  /** A pane that shows two pictures, and a request that failed. */
  async function failing(start: Parameters<RoomPane['show']>[1]): Promise<RoomPane> {
    const pane = await chest();
    const again = pane.show({ study: study('chest', 'thorax'), series: series('thorax') }, start);
    held('/series/thorax').fail();
    expect(await again).toBe(false);
    expect([pane.problem !== undefined, pane.stack.count]).toEqual([true, 2]);
    return pane;
  }

  it('is asked for again at the picture that it was asked for, and not at the first one', async () => {
    for (const start of [1, { instance_id: 'lateral', frame: 1 }]) {
      const pane = await failing(start);
      pane.room.retry();
      held('/series/thorax').answer(detail('pa', 'lateral', 'oblique'));
      await settled();
      expect([pane.problem, pane.viewer?.index, pane.stack.count]).toEqual([undefined, 1, 3]);
    }
  });

  it('is asked for again where the reader went to since', async () => {
    const pane = await failing(0);
    pane.viewer?.go(1);
    pane.retry();
    held('/series/thorax').fail();
    await settled();
    pane.retry();
    held('/series/thorax').answer(detail('pa', 'lateral', 'oblique'));
    await settled();
    expect([pane.viewer?.index, pane.stack.count]).toEqual([1, 3]);
  });

  it('is asked for again in each pane, and the same one stays in hand', async () => {
    const pane = await failing(1);
    const { room } = pane;
    room.arrange(1, 2);
    const other = room.panes[1] as RoomPane;
    other.mount(asked.create() as unknown as HTMLCanvasElement);
    room.activate(other);
    const shown = other.show({ study: study('chest', 'thorax'), series: series('old') }, 1);
    held('/series/old').fail();
    await shown;
    room.retry();
    held('/series/thorax').answer(detail('pa', 'lateral'));
    held('/series/old').answer(detail('a', 'b'));
    await settled();
    expect([room.active === other, pane.viewer?.index, other.viewer?.index]).toEqual([true, 1, 1]);
  });
});

describe('a pane that is left', () => {
  it('gives its canvases back at once, and fills none again', async () => {
    const pane = await chest();
    const { viewer } = pane;
    asked.paint();
    const painted = asked.made.filter(({ width }) => width > 0);
    expect(painted.length).toBeGreaterThan(0);
    viewer?.close();
    viewer?.repaint();
    asked.paint();
    expect(asked.made.filter(({ width, height }) => width > 0 || height > 0)).toEqual([]);
  });

  it('asks for nothing more once the room is closed', async () => {
    const pane = await chest();
    const late = pane.show({ study: study('chest', 'thorax'), series: series('another') });
    pane.room.close();
    held('/series/another').answer(detail('x'));
    expect(await late).toBe(false);
    expect([pane.shown, pane.stack.count]).toEqual([null, 0]);
  });
});
