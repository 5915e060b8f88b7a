/** What a pane shows, as a source of pictures to take away: turned, windowed and marked as it is seen. */

import type { PictureSource } from '../contents/source';
import { fetchFrame } from '$viewer/loader';
import type { RoomPane } from './room.svelte';

export function sourceOfPane(pane: RoomPane): PictureSource | null {
  const { shown, viewer, view, stack } = pane;
  if (!shown || !viewer || !view) return null;
  return {
    ...shown,
    count: stack.count,
    index: view.index,
    rate: view.rate,
    at: (place) => stack.at(place),
    take: async (place, signal) => {
      const address = stack.address(place);
      if (!address) throw new Error('there is no picture here');
      const taken = viewer.snapshot(await fetchFrame(address, signal, { onShare: () => undefined }), place);
      if (!taken) throw new Error('this browser draws on no canvas');
      return taken;
    },
  };
}
