/** Watches whether the display that the window stands on is checked, and through which table its greys go. */

import { outputMap } from '$viewer/patterns/correction';
import { displays as api, type Here } from '../api/roomcheck';
import { matching, readNames, thisScreen } from './screen';

const REREAD_MS = 5 * 60_000;
const LOOK_MS = 10_000;

export interface RoomState {
  checked: boolean;
  /** Greys to send in place of 0 to 255; none: as they are. */
  map: Uint8Array | null;
}

/** What holds for a screen; where it is not known, or two displays can be meant, it counts as not checked. */
export function stateFor(here: Here | null, now: number, facts = thisScreen()): RoomState {
  const found = here ? matching(here.displays, facts) : [];
  const [display] = found;
  if (!display || found.length > 1) return { checked: false, map: null };
  const { checked, until } = display.state;
  return { checked: checked && (until === null || Date.parse(until) > now), map: outputMap(display.correction) };
}

/** Tells the state now and whenever it changes: a check ends, the window moves to another display. Returns how to end. */
export function watchRoom(onState: (state: RoomState) => void): () => void {
  let here: Here | null = null;
  let told = '';
  let ended = false;

  function look(): void {
    if (ended) return;
    const state = stateFor(here, Date.now());
    const said = JSON.stringify([state.checked, state.map && [...state.map]]);
    if (said === told) return;
    told = said;
    onState(state);
  }

  async function read(): Promise<void> {
    try {
      await readNames(false);
      here = await api.here();
    } catch {
      // What was read last holds until it ends; of what was never read nothing is known.
    }
    look();
  }

  const seen = (): void => void (document.visibilityState === 'visible' && read());
  const timers = [setInterval(() => void read(), REREAD_MS), setInterval(look, LOOK_MS)];
  document.addEventListener('visibilitychange', seen);
  addEventListener('resize', look);
  void read();
  return () => {
    ended = true;
    timers.forEach(clearInterval);
    document.removeEventListener('visibilitychange', seen);
    removeEventListener('resize', look);
  };
}
