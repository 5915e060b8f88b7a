/** What the volume room tells of itself: how it is looked at, what is loaded, what is measured and read. */

import type { BodyName } from './bodies';
import type { WhyNotLoaded } from './loading';
import { barsIn, edgesIn, type RoomState } from './look';
import { facingsOf } from './planes';
import type { Probing } from './probing';
import type { VolumeRoom } from './room';
import { tiltOf } from './turning';

const BAR_SHARE = 0.2; // of a pane's height

/** `why`: what of it could not be loaded, and for which reason. */
export function roomState(room: VolumeRoom, why: Readonly<Record<BodyName, WhyNotLoaded | null>>, probing: Probing): RoomState {
  const { look, bodies, measuring } = room;
  const { views, space, upright } = look;
  const { selected, handle } = room.choosing;
  const body = bodies.body('main') ?? null;
  return {
    ...look, measures: measuring.all, isPassing: measuring.isPassing, selected, handle,
    tilt: tiltOf(views, facingsOf(upright, body?.grid)),
    body, why: why.main, over: bodies.body('over') ?? null, overWhy: why.over,
    graphics: bodies.graphics, shownWindow: look.window ?? body?.window ?? null,
    spaceReady: bodies.painterFor('main')?.hasCopy('main') ?? (body !== null && body.progress.here === body.progress.of),
    atCursor: probing.atCursor, hover: probing.hover,
    edges: edgesIn(views, space),
    bars: barsIn(views, (name) => (body ? room.sizeOf(name).height * BAR_SHARE : 0)),
  };
}
