/** What the reader asked for that stands above the room: at most one of each. */

import type { InstanceRow } from '../api/types';
import { StudyActions } from '../studies/actions.svelte';
import type { WantedBlend } from '$viewer/drawings/content';
import type { Mark } from '$viewer/marks/mark';

export class Asked {
  help = $state(false);
  volume = $state(false);
  /** What lies in the patient, and is gone to in the volume. */
  volumeAt: Mark | null = $state.raw(null);
  /** What is to lie over the volume, as a presentation state says. */
  volumeBlend: WantedBlend | null = $state.raw(null);
  hanging = $state(false);
  /** Pictures are taken away: saved, or printed. */
  leaving = $state<'save' | 'print' | null>(null);
  /** The object whose header is shown. */
  header: InstanceRow | null = $state.raw(null);
  readonly actions = new StudyActions();

  openVolume(at: Mark | null = null): void {
    [this.volumeAt, this.volume] = [at, true];
  }

  openBlended(blend: WantedBlend): void {
    this.volumeBlend = blend;
    this.openVolume();
  }

  closeVolume(): void {
    this.volume = false;
    this.volumeAt = this.volumeBlend = null;
  }

  /** Another study is opened. */
  close(): void {
    this.closeVolume();
    this.hanging = false;
    this.leaving = this.header = null;
    this.actions.close();
  }
}
