/** Keeps what is measured in a volume as marks of its study, and shows those that lie in its frame of reference. */

import type { Mark } from '$viewer/marks/mark';
import { valueOf, type Measure, type MeasureKeeper } from '$viewer/volume/measuring';
import type { VolumeRoom } from '$viewer/volume/room';
import type { MarkStore } from './store.svelte';

export interface Measured {
  studyId: string;
  seriesId: string;
  frameOfReference: string;
}

const UNITS = { length: 'mm', angle: 'deg' } as const;

class VolumeMarks implements MeasureKeeper {
  constructor(
    readonly store: MarkStore,
    readonly where: Measured,
  ) {}

  get mayChange(): boolean {
    return this.store.book.mayMark;
  }

  get measures(): readonly Measure[] {
    const { book } = this.store;
    return book.inSpace.flatMap((mark: Mark): Measure[] => {
      const { id, kind, space } = mark;
      if (space?.frame_of_reference !== this.where.frameOfReference || (kind !== 'length' && kind !== 'angle')) return [];
      return [{ id, kind, points: space.points, own: book.isMine(mark) }];
    });
  }

  add(kind: Measure['kind'], points: Measure['points']): string {
    const { seriesId: series_id, frameOfReference: frame_of_reference } = this.where;
    const space = { series_id, frame_of_reference, points };
    return this.store.book.add({ kind, instance_id: null, frame: null, points: [], space, text: '', values: valuesFor(kind, points) }).id;
  }

  change(id: string, points: Measure['points'], joins = ''): void {
    const mark = this.store.book.get(id);
    if (!mark?.space || (mark.kind !== 'length' && mark.kind !== 'angle')) return;
    this.store.book.change(id, { space: { ...mark.space, points }, values: valuesFor(mark.kind, points) }, joins);
  }

  remove(id: string): void {
    this.store.book.remove(id);
  }
}

function valuesFor(kind: Measure['kind'], points: Measure['points']): Mark['values'] {
  return [{ name: kind, value: valueOf({ kind, points }), unit: UNITS[kind] }];
}

/** Returns how to stop. */
export function keepMeasures(room: VolumeRoom, store: MarkStore, where: Measured): () => void {
  store.note(where.seriesId, where.studyId);
  room.measuring.keepWith(new VolumeMarks(store, where));
  const off = store.book.listen(() => room.redraw());
  return () => {
    off();
    room.measuring.keepWith(null);
  };
}
