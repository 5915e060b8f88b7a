/** Turning by keys what a mouse turns by hand: the planes about what one of them looks along, and the third dimension. */

import type { PaneName } from './look';
import { PLANES, type Facing, type PlaneName } from './planes';
import type { VolumeRoom } from './room';
import { RADIANS_PER_PIXEL } from './space';
import { dot } from './vectors';

/** Degrees. */
export const TURNS = { plane: { usual: 1, large: 10 }, space: { usual: 5, large: 45 } } as const;

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Turns what is in hand to the right and down by so many steps. Tells whether it turns that way. */
export function turnBy(room: VolumeRoom, pane: PaneName, [right, down]: readonly [number, number], size: 'usual' | 'large'): boolean {
  if (pane === 'space') {
    const pixels = radians(TURNS.space[size]) / RADIANS_PER_PIXEL;
    room.turnSpace(right * pixels, down * pixels);
    return true;
  }
  if (right === 0) return false;
  room.turn(pane, radians(right * TURNS.plane[size])); // clockwise, as this pane shows the other planes' lines
  return true;
}

/** The planes as they stood before they were turned; three dimensions from the front. */
export function straighten(room: VolumeRoom, pane: PaneName): void {
  if (pane === 'space') room.lookFrom('front');
  else room.setFacing(room.look.upright);
}

/** By how many degrees the plane that is turned most looks another way than it does upright. */
export function tiltOf(views: Readonly<Record<PlaneName, Facing>>, upright: Readonly<Record<PlaneName, Facing>>): number {
  const cosines = PLANES.map((name) => dot(views[name].normal, upright[name].normal));
  return (Math.acos(Math.min(1, Math.max(-1, Math.min(...cosines)))) * 180) / Math.PI;
}
