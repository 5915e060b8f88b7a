/** What the reader asked for that stands above the room: at most one of each. */

import type { InstanceRow } from '../api/types';
import { StudyActions } from '../studies/actions.svelte';

export class Asked {
  help = $state(false);
  volume = $state(false);
  hanging = $state(false);
  /** Pictures are taken away: saved, or printed. */
  leaving = $state<'save' | 'print' | null>(null);
  /** The object whose header is shown. */
  header: InstanceRow | null = $state.raw(null);
  readonly actions = new StudyActions();

  /** Another study is opened. */
  close(): void {
    this.volume = this.hanging = false;
    this.leaving = this.header = null;
    this.actions.close();
  }
}
