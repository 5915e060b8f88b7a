/** What a pane shows, as a source of pictures to take away: turned, windowed and marked as it is seen. */

import type { PictureSource } from '../contents/source';
import type { Window } from '$viewer/grey';
import { fetchFrame } from '$viewer/loader';
import type { MarkContent } from '$viewer/marks/mark';
import type { RoomPane } from './room-pane.svelte';
import { isPicture, type Stack } from './stack';

/** The window and the inversion that the reader chose; a table of the object's is no window. */
export function chosenLook({ view }: RoomPane): { window: Window | null; invert: boolean } | null {
  if (!view) return null;
  const { chosen, asSent, window, invert } = view;
  return { window: chosen && !asSent && !window?.curve ? window : null, invert };
}

/** What flags a picture, of all that is marked. */
type Flag = Pick<MarkContent, 'kind' | 'instance_id' | 'frame'>;

/** The places of a stack's pictures that are flagged as key images. */
export function keyPlaces(stack: Stack, marks: readonly Flag[]): number[] {
  const flags = marks.filter(({ kind }) => kind === 'key');
  const found = flags.flatMap(({ instance_id: id, frame }) => {
    const instance = stack.instances.find((one) => one.id === id);
    return instance && isPicture(instance) ? [stack.placeOf(instance.id, frame ?? 1)] : [];
  });
  return [...new Set(found)].toSorted((one, other) => one - other);
}

export function sourceOfPane(pane: RoomPane, marks: readonly Flag[] = []): PictureSource | null {
  const { shown, viewer, view, stack } = pane;
  if (!shown || !viewer || !view) return null;
  return {
    ...shown,
    count: stack.count,
    index: view.index,
    keys: keyPlaces(stack, marks),
    rate: view.rate,
    at: (place) => stack.at(place),
    telling: (place) => pane.parts?.textOf(pane.parts.of(place)) ?? '',
    take: async (place, signal, written) => {
      const address = stack.address(place);
      if (!address) throw new Error('there is no picture here');
      const taken = viewer.snapshot(await fetchFrame(address, signal, { onShare: () => undefined }), place, written);
      if (!taken) throw new Error('this browser draws on no canvas');
      return taken;
    },
  };
}
