/** Which series lies over a volume: what is said to lie there is what is shown. */

import type { BlendedPicture, DrawnBlending, WantedBlend } from '$viewer/drawings/content';
import type { Choice, WhyNoVolume } from '$viewer/volume/assemble';
import type { Source } from '$viewer/volume/loading';
import { Stack } from '../viewing/stack';
import { assembled, sourceOf, volumeWith, type Candidate } from './sources';

/** What of a volume room is needed. */
export interface Below {
  openOver: (source: Source | null, saved?: DrawnBlending | null) => Promise<void>;
}

/** It is no volume, or its planes could not be read. */
export type Refused = { candidate: Candidate } & ({ why: WhyNoVolume } | { cause: unknown });

export class Fusion {
  over = $state.raw<Candidate | null>(null);
  /** The volumes of that series (phases, water and fat), and which of them lies there. */
  volumes = $state.raw<readonly Choice[]>([]);
  volume = $state.raw<Choice | null>(null);
  /** The one that was chosen last and does not lie there. */
  refused = $state.raw<Refused | null>(null);

  readonly #room: Below;
  #laid = $state(true);
  #turn = 0;

  constructor(room: Below) {
    this.#room = room;
  }

  /** Lays a series over this one as a presentation state says, if both are known to lie in one space. */
  async lay({ series: id, blending, pictures }: WantedBlend, all: readonly Candidate[]): Promise<void> {
    const candidate = all.find(({ series, isSure }) => series.id === id && isSure);
    if (candidate) await this.choose(candidate, blending, pictures.over);
    this.#laid = this.over !== null;
  }

  /** What was saved could not be laid over it, and nothing else was. */
  get unblended(): boolean {
    return !this.#laid && this.over === null;
  }

  /** Takes away what lies there, and lays a volume of another over it as it was saved or as ours are at first; null: none. */
  async choose(candidate: Candidate | null, saved: DrawnBlending | null = null, which: number | BlendedPicture = 0): Promise<void> {
    [this.over, this.refused, this.volume] = [candidate, null, null];
    const turn = (this.#turn += 1);
    if (which === 0) this.volumes = [];
    await this.#room.openOver(null); // or the last one stays for as long under the name of this one
    if (!candidate) return;
    try {
      const stack = new Stack(candidate.detail.instances);
      const { choices, why } = await assembled(stack);
      if (this.over !== candidate || this.#turn !== turn) return;
      const volume = typeof which === 'number' ? choices[which] : volumeWith(choices, stack, which);
      [this.volumes, this.volume] = [choices, volume ?? null];
      if (volume) return await this.#room.openOver(sourceOf(stack, candidate.series.modality, volume), saved);
      this.over = null; // the picture that was meant is in none of its volumes, or there are none
      this.refused = choices.length > 0 ? null : { candidate, why: why ?? 'too-few' };
    } catch (cause) {
      if (this.over === candidate && this.#turn === turn) [this.over, this.refused] = [null, { candidate, cause }];
    }
  }
}
